// Discord's markdown, from text straight to nodes: no HTML is ever made of it.

import { h, link } from "./dom.js";
import { stamp } from "./times.js";

const DEPTH = 12;
const PAIRS = [["**", "strong"], ["__", "u"], ["~~", "s"], ["||", "spoiler"], ["*", "em"], ["_", "em"]];
const HEADING = /^(#{1,3}) +(.+)$/;
const SUBTEXT = /^-# +(.+)$/;
const ITEM = /^( *)([-*]|\d{1,9}\.) +(.*)$/;
const FENCE = /```(?:([\w+#.-]*)\n)?([\s\S]+?)```/g;
const ADDRESS = /https?:\/\/[^\s<>]*[^\s<>.,:;"'!?)\]*_~|]/y;
const BARE = /<(https?:\/\/[^\s<>]+)>/y;
const MASKED = /\[((?:[^[\]\\]|\\.)+)\]\(<?(https?:\/\/[^\s()<>]+(?:\([^\s()<>]*\))?[^\s()<>]*)>?(?: "[^"]*")?\)/y;
const MARK = /<(?:(@[!&]?|#)(\d{1,20})|\/([^:<>\n]{1,100}):\d{1,20}|t:(-?\d{1,13})(?::([tTdDfFR]))?|a?:(\w{2,32}):\d{1,20})>/y;

/** Turn a text into nodes; `names` says what mentions are called. */
export function markdown(text, names) {
  const nodes = [];
  let end = 0;
  for (const found of String(text).matchAll(FENCE)) {
    nodes.push(...blocks(text.slice(end, found.index).replace(/\n$/, ""), names));
    nodes.push(h("pre", {}, h("code", { data: found[1] ? { language: found[1] } : {} }, found[2].replace(/^\n|\n$/g, ""))));
    end = found.index + found[0].length;
  }
  const rest = String(text).slice(end);
  nodes.push(...blocks(end > 0 ? rest.replace(/^\n/, "") : rest, names));
  return nodes;
}

/** Turn one line of text into nodes: no headings, lists or quotes. */
export function inline(text, names, depth = 0) {
  const nodes = [];
  let plain = "";
  for (let at = 0; at < text.length; ) {
    const found = depth < DEPTH ? spanAt(text, at, names, depth) : null;
    if (found === null) {
      plain += text[at];
      at += 1;
      continue;
    }
    if (plain) nodes.push(plain);
    plain = "";
    nodes.push(found.node);
    at = found.end;
  }
  if (plain) nodes.push(plain);
  return nodes;
}

function blocks(text, names) {
  const nodes = [];
  const lines = text.split("\n");
  let paragraph = [];
  const flush = () => {
    if (paragraph.length && paragraph.join("").length) {
      nodes.push(h("div", { class: "paragraph" }, inline(paragraph.join("\n"), names)));
    }
    paragraph = [];
  };
  for (let at = 0; at < lines.length; ) {
    const found = blockAt(lines, at, names);
    if (found === null) {
      paragraph.push(lines[at]);
      at += 1;
      continue;
    }
    flush();
    nodes.push(found.node);
    at = found.end;
  }
  flush();
  return nodes;
}

function blockAt(lines, at, names) {
  const line = lines[at];
  const heading = HEADING.exec(line);
  if (heading) return { node: h(`h${heading[1].length + 2}`, {}, inline(heading[2], names)), end: at + 1 };
  const subtext = SUBTEXT.exec(line);
  if (subtext) return { node: h("small", {}, inline(subtext[1], names)), end: at + 1 };
  if (line.startsWith(">>> ")) {
    const quoted = [line.slice(4), ...lines.slice(at + 1)].join("\n");
    return { node: h("blockquote", {}, blocks(quoted, names)), end: lines.length };
  }
  if (line.startsWith("> ")) {
    let end = at;
    while (end < lines.length && lines[end].startsWith("> ")) end += 1;
    const quoted = lines.slice(at, end).map((item) => item.slice(2)).join("\n");
    return { node: h("blockquote", {}, blocks(quoted, names)), end };
  }
  return ITEM.test(line) ? listAt(lines, at, names, 0) : null;
}

function listAt(lines, start, names, depth) {
  const [, indent, bullet] = ITEM.exec(lines[start]);
  const ordered = bullet.endsWith(".");
  const list = h(ordered ? "ol" : "ul", ordered ? { start: parseInt(bullet, 10) } : {});
  let at = start;
  while (at < lines.length) {
    const found = ITEM.exec(lines[at]);
    if (!found || found[1].length < indent.length || found[2].endsWith(".") !== ordered) break;
    if (found[1].length > indent.length && depth < DEPTH && list.lastChild) {
      const inner = listAt(lines, at, names, depth + 1);
      list.lastChild.append(inner.node);
      at = inner.end;
    } else {
      list.append(h("li", {}, inline(found[3], names)));
      at += 1;
    }
  }
  return { node: list, end: at };
}

function spanAt(text, at, names, depth) {
  const letter = text[at];
  if (letter === "\\" && /[^A-Za-z0-9\s]/.test(text[at + 1] ?? "")) return { node: text[at + 1], end: at + 2 };
  if (letter === "`") return codeAt(text, at);
  if (letter === "h") return matched(ADDRESS, text, at, ([address]) => link(address, address));
  if (letter === "[") return matched(MASKED, text, at, ([, label, address]) => link(address, inline(label, names, depth + 1)));
  if (letter === "<") return matched(BARE, text, at, ([, address]) => link(address, address)) ?? matched(MARK, text, at, (found) => mark(found, names));
  if (letter === "@") return matched(/@(?:everyone|here)\b/y, text, at, ([word]) => h("span", { class: "mention" }, word));
  return pairAt(text, at, names, depth);
}

function codeAt(text, at) {
  const run = /`+/y;
  run.lastIndex = at;
  const marks = run.exec(text)[0].length;
  const ends = /`+/g;
  ends.lastIndex = at + marks;
  for (let found = ends.exec(text); found; found = ends.exec(text)) {
    if (found[0].length !== marks) continue;
    const code = text.slice(at + marks, found.index);
    return { node: h("code", {}, code.replace(/^ (?=`)|(?<=`) $/g, "")), end: ends.lastIndex };
  }
  // The whole run is plain text: trying again from its middle would take forever on a long one.
  return { node: "`".repeat(marks), end: at + marks };
}

function matched(rule, text, at, make) {
  rule.lastIndex = at;
  const found = rule.exec(text);
  const node = found && make(found);
  return node ? { node, end: rule.lastIndex } : null;
}

function pairAt(text, at, names, depth) {
  for (const [sign, tag] of PAIRS) {
    if (!text.startsWith(sign, at)) continue;
    const from = at + sign.length;
    // snake_case is not emphasis, and neither is "2 * 3 * 4".
    if (sign === "_" && /\w/.test(text[at - 1] ?? "")) return null;
    if (sign === "*" && /[\s*]/.test(text[from] ?? " ")) return null;
    const end = closing(text, from, sign);
    if (end <= from) continue;
    const inner = inline(text.slice(from, end), names, depth + 1);
    return { node: tag === "spoiler" ? spoiler(inner) : h(tag, {}, inner), end: end + sign.length };
  }
  return null;
}

function closing(text, from, sign) {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text.startsWith(sign, at)) {
      const next = text[at + sign.length];
      if (sign.length === 1 && next === sign) at += 1;
      else if (sign.length === 2 && next === sign[0] && text[at - 1] !== sign[0]) continue;
      else if (sign === "_" && /\w/.test(next ?? "")) continue;
      else return at;
    }
  }
  return -1;
}

function spoiler(children) {
  const cover = h("span", { class: "spoiler", role: "button", tabindex: "0", "aria-label": "Spoiler" }, children);
  const open = () => {
    cover.classList.add("open");
    cover.removeAttribute("role");
    cover.removeAttribute("aria-label");
  };
  cover.addEventListener("click", open);
  cover.addEventListener("keydown", (event) => ["Enter", " "].includes(event.key) && open());
  return cover;
}

function mark([, kind, id, command, seconds, style, emoji], names) {
  if (seconds !== undefined) return stamp(Number(seconds), style);
  if (command !== undefined) return h("span", { class: "mention" }, `/${command}`);
  if (emoji !== undefined) return h("span", {}, `:${emoji}:`);
  if (kind === "#") return h("span", { class: "mention" }, `#${names.channels[id] ?? "unknown"}`);
  const name = kind === "@&" ? names.roles[id] ?? "unknown-role" : names.users[id] ?? "unknown-user";
  return h("span", { class: "mention" }, `@${name}`);
}
