// Buttons, menus and layouts of a message. `use` tells the page what the user did with one.

import { h, icon, link } from "./dom.js";
import { fileCard, image } from "./embeds.js";
import { markdown } from "./markdown.js";
import { Menu } from "./menu.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };
const STRING_SELECT = 3;

const DRAWN = {
  1: (item, context) => h("div", { class: "row" }, item.components.map((child) => component(child, context))),
  2: button,
  3: select,
  5: select,
  6: select,
  7: select,
  8: select,
  9: section,
  10: (item, { names }) => h("div", { class: "markup" }, markdown(item.content, names)),
  11: (item, { open }) => image(item.media?.url ?? "", item.description ?? "Thumbnail", open, "embed-thumbnail"),
  12: (item, { open }) => h("div", { class: "gallery many" }, item.items.map((one) => image(one.media?.url ?? "", one.description ?? "Image", open))),
  13: (item) => fileCard({ url: item.file?.url ?? "", filename: item.name ?? item.file?.url.split("/").at(-1) ?? "file", size: item.size }),
  14: (item) => h("hr", { class: item.divider === false ? "invisible" : "" }),
  17: container,
};

/** Draw a component; `context` has names, open, use and the controls that are `busy`. */
export function component(item, context) {
  const draw = DRAWN[item.type];
  return draw ? draw(item, context) : h("div", { class: "no-image" }, `This page can't show components of type ${item.type}.`);
}

function button(item, context) {
  const emoji = item.emoji?.name && h("span", { class: "emoji", "aria-hidden": "true" }, item.emoji.name);
  const name = `button ${STYLES[item.style] ?? "secondary"}`;
  const label = item.label ? h("span", {}, item.label) : emoji ? h("span", { class: "unseen" }, item.emoji.name) : "";
  if (item.style === 5) {
    const anchor = link(item.url, emoji, label, icon("external"));
    anchor.className = name;
    return anchor;
  }
  const busy = context.busy.has(item.custom_id);
  const element = h("button", { type: "button", class: busy ? `${name} busy` : name, disabled: item.disabled, data: { control: item.custom_id } }, emoji, label);
  if (busy) element.setAttribute("aria-busy", "true");
  else element.addEventListener("click", () => context.use("click", item.custom_id));
  return element;
}

function select(item, context) {
  const choosable = item.type === STRING_SELECT;
  return new Menu({
    label: item.placeholder ?? "Make a selection",
    options: choosable ? item.options : [],
    least: item.min_values ?? 1,
    most: item.max_values ?? 1,
    control: item.custom_id,
    disabled: item.disabled || !choosable,
    title: choosable ? null : "The sandbox has no list for this kind of menu",
    busy: context.busy.has(item.custom_id),
    onChosen: (values) => context.use("select", item.custom_id, values),
  }).element;
}

function section(item, context) {
  return h("div", { class: "section" },
    h("div", {}, item.components.map((child) => component(child, context))),
    item.accessory && component(item.accessory, context),
  );
}

function container(item, context) {
  const box = h("div", { class: "embed container" }, item.components.map((child) => component(child, context)));
  if (Number.isInteger(item.accent_color)) {
    box.style.setProperty("--bar", `#${(item.accent_color & 0xffffff).toString(16).padStart(6, "0")}`);
  }
  return box;
}
