// Embeds and files of a message.

import { h, icon, link } from "./dom.js";
import { inline, markdown } from "./markdown.js";
import { clock, dayName } from "./times.js";

const OWN = "files/";
const GRID = 12;
const PER_ROW = 3;

/** Draw an embed; `open` shows one of its images large. */
export function embed(data, names, open) {
  const card = h("article", { class: "embed", "aria-label": data.title ?? "Embed" });
  if (Number.isInteger(data.color)) {
    card.style.setProperty("--bar", `#${(data.color & 0xffffff).toString(16).padStart(6, "0")}`);
  }
  const body = h("div", { class: "embed-body" },
    data.author?.name && h("div", { class: "embed-author" }, data.author.url ? link(data.author.url, data.author.name) : data.author.name),
    data.title && h("div", { class: "embed-title" }, data.url ? link(data.url, inline(data.title, names)) : inline(data.title, names)),
    data.description && h("div", { class: "embed-text markup" }, markdown(data.description, names)),
    data.fields?.length && h("div", { class: "embed-fields" }, fields(data.fields, names)),
  );
  card.append(body);
  if (data.thumbnail?.url) card.append(image(data.thumbnail.url, "Thumbnail", open, "embed-thumbnail"));
  if (data.image?.url) card.append(image(data.image.url, data.title ?? "Image", open, "embed-image"));
  const foot = footer(data);
  if (foot) card.append(foot);
  return card;
}

/** Draw a picture from a file of the sandbox; others are named, as the page asks nobody else. */
export function image(address, text, open, name = "picture") {
  if (!address.startsWith(OWN)) {
    const missing = address.startsWith("attachment://");
    const label = missing ? `Image ${address.slice("attachment://".length)} is missing` : "Image from elsewhere (not loaded)";
    return h("div", { class: `${name} no-image` }, icon("warning"), missing ? label : link(address, label));
  }
  const picture = h("img", { src: address, alt: text, loading: "eager" });
  const cover = h("button", { type: "button", class: name, "aria-label": `Open ${text}`, on: { click: () => open(address, text) } }, picture);
  picture.addEventListener("error", () => {
    cover.replaceWith(h("div", { class: `${name} no-image` }, icon("warning"), `${text} can't be shown`));
  });
  return cover;
}

/** Draw the files below a message: pictures as such, the rest as cards to download. */
export function files(list, open) {
  if (!list.length) return null;
  const isShown = (file) => /^image\/(png|jpeg|gif|webp|svg\+xml)$/.test(file.content_type ?? "");
  const pictures = list.filter(isShown);
  return h("div", { class: "files" },
    pictures.length > 0 && h("div", { class: pictures.length > 1 ? "gallery many" : "gallery" },
      pictures.map((file) => image(file.url, file.description ?? file.filename, open))),
    list.filter((file) => !isShown(file)).map(fileCard),
  );
}

/** Draw the card of one file. */
export function fileCard(file) {
  const target = { href: file.url, download: file.filename };
  return h("div", { class: "file-card", role: "group", "aria-label": `File ${file.filename}` },
    icon("file"),
    h("div", { class: "file-name" }, h("a", target, file.filename), h("span", {}, size(file.size ?? 0))),
    h("a", { ...target, class: "icon-button", "aria-label": `Download ${file.filename}` }, icon("download")),
  );
}

function fields(list, names) {
  const spans = inlineSpans(list);
  return list.map((field, index) => {
    const cell = h("div", { class: field.inline ? "embed-field inline" : "embed-field" },
      h("div", { class: "embed-field-name" }, inline(field.name, names)),
      h("div", { class: "embed-field-value markup" }, markdown(field.value, names)),
    );
    cell.style.setProperty("--span", String(spans[index]));
    return cell;
  });
}

// Neighbouring inline fields share a line, at most three of them.
function inlineSpans(list) {
  const spans = list.map(() => GRID);
  for (let at = 0; at < list.length; ) {
    let end = at;
    while (end < list.length && list[end].inline && end - at < PER_ROW) end += 1;
    for (let index = at; index < end; index += 1) spans[index] = GRID / (end - at);
    at = Math.max(end, at + 1);
  }
  return spans;
}

function footer(data) {
  const seconds = data.timestamp ? Date.parse(data.timestamp) / 1000 : NaN;
  const when = Number.isNaN(seconds) ? null : `${dayName(seconds)} ${clock(seconds)}`;
  const parts = [data.footer?.text, when].filter(Boolean);
  return parts.length ? h("div", { class: "embed-footer" }, parts.join(" • ")) : null;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(2)} KB` : `${(bytes / 1024 ** 2).toFixed(2)} MB`;
}
