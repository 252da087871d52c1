// Building elements. Text always becomes a text node: nothing here or elsewhere parses HTML.

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  hash: ["M9 3 7 21M17 3l-2 18M4 8.5h17M3 15.5h17"],
  thread: ["M4 5h16v11H10l-5 4v-4H4z", "M8 9h8M8 12.5h5"],
  at: ["M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0zm0 0v1.5a2.5 2.5 0 0 0 5 0V12a9 9 0 1 0-4 7.5"],
  pin: ["M9 3h6l-1 6 4 4v2H6v-2l4-4-1-6zM12 15v6"],
  menu: ["M4 6h16M4 12h16M4 18h16"],
  close: ["M6 6l12 12M18 6 6 18"],
  send: ["M4 4l17 8-17 8 3-8-3-8zM7 12h8"],
  eye: ["M2 12s4-6.5 10-6.5S22 12 22 12s-4 6.5-10 6.5S2 12 2 12z", "M12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z"],
  file: ["M6 2.5h8l5 5v14H6z", "M14 2.5v5h5M9 13h7M9 16.5h7"],
  download: ["M12 4v11M7 11l5 5 5-5M5 20h14"],
  external: ["M14 4h6v6M20 4l-9 9M18 14v6H4V6h6"],
  chevron: ["M6 9l6 6 6-6"],
  slash: ["M16 3 8 21"],
  warning: ["M12 3 2 20h20L12 3zM12 10v5M12 17.5v.5"],
};

/** Make an element; `props` are attributes, `class`, `on` (handlers) and `data` (dataset). */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on") for (const [kind, call] of Object.entries(value)) element.addEventListener(kind, call);
    else element.setAttribute(name, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

/** Add nodes, texts and lists of them; nothing for null and false. */
export function append(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
}

/** Put children in place of what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/** Draw one of the icons. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** Draw somebody's avatar: the first letter on a colour of their own. */
export function avatar(author) {
  // Ids that differ by one give hues that are far apart.
  const hue = Number(BigInt(author.id) % 360n) * 137 % 360;
  const face = h("span", { class: author.bot ? "avatar bot" : "avatar", "aria-hidden": "true" }, [...author.name][0] ?? "?");
  face.style.setProperty("--hue", String(hue));
  return face;
}

/** Return an address if following it is harmless, or null. */
export function safeAddress(text) {
  try {
    const url = new URL(String(text), document.baseURI);
    return ["http:", "https:"].includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** Make a link that leaves the page, or plain text where the address is no web address. */
export function link(address, ...children) {
  const href = safeAddress(address);
  if (href === null) return h("span", {}, ...children);
  return h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);
}
