// The list above the message box: commands, options, choices. Focus stays in the box.

import { fill, h } from "./dom.js";

export class Palette {
  constructor(element, onPick) {
    this.element = element;
    this.onPick = onPick;
    this.items = [];
    this.active = -1;
    this.input = null;
    element.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  get isOpen() {
    return !this.element.hidden;
  }

  /** Show items `{ key, name, label, detail, tag, mark }`; `highlight` is where the arrows begin. */
  show(input, { title, hint = "", items = [], note = "", highlight = 0 }) {
    this.detach();
    this.input = input;
    this.items = items;
    this.active = items.length ? highlight : -1;
    this.rows = items.map((item, index) => this.row(item, index));
    fill(this.element,
      h("div", { class: "palette-title" }, h("strong", {}, title), hint && h("span", {}, hint)),
      h("ul", { id: "palette-list", role: "listbox", "aria-label": title }, this.rows),
      note && h("p", { class: "palette-note", role: "status" }, note),
    );
    this.element.hidden = false;
    input.setAttribute("aria-expanded", String(items.length > 0));
    this.mark();
  }

  hide() {
    this.element.hidden = true;
    this.detach();
    this.items = [];
    this.active = -1;
  }

  /** Move the highlight; past an end it comes round. */
  move(step) {
    const count = this.items.length;
    if (!count) return;
    this.active = this.active < 0 ? (step > 0 ? 0 : count - 1) : (this.active + step + count) % count;
    this.mark();
  }

  /** Take the highlighted item; false if there is none. */
  take() {
    if (!this.isOpen || this.active < 0) return false;
    this.onPick(this.items[this.active]);
    return true;
  }

  detach() {
    this.input?.setAttribute("aria-expanded", "false");
    this.input?.removeAttribute("aria-activedescendant");
    this.input = null;
  }

  row(item, index) {
    return h("li", {
      id: `palette-${index}`, role: "option", "aria-selected": "false",
      on: { click: () => this.onPick(item), pointermove: () => this.active !== index && this.point(index) },
    },
      item.mark && h("span", { class: "palette-mark", "aria-hidden": "true" }, item.mark),
      h("span", { class: "palette-name" }, item.label ?? item.name, item.detail && h("small", {}, item.detail)),
      item.tag && h("span", { class: "palette-tag" }, item.tag),
    );
  }

  point(index) {
    this.active = index;
    this.mark({ scroll: false });
  }

  mark({ scroll = true } = {}) {
    this.rows.forEach((row, index) => row.setAttribute("aria-selected", String(index === this.active)));
    if (this.active < 0) {
      this.input?.removeAttribute("aria-activedescendant");
      return;
    }
    this.input?.setAttribute("aria-activedescendant", this.rows[this.active].id);
    if (scroll) this.rows[this.active].scrollIntoView({ block: "nearest" });
  }
}
