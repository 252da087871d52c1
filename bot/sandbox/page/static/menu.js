// A menu of a message: one or several options, by mouse or keyboard.

import { h, icon } from "./dom.js";

let count = 0;

export class Menu {
  constructor(settings) {
    this.settings = settings;
    this.id = `menu-${(count += 1)}`;
    this.chosen = settings.options.filter((option) => option.default).map((option) => option.value);
    this.at = -1;
    this.shown = h("span", { class: "menu-shown" });
    this.box = h("button", {
      type: "button", class: settings.busy ? "menu-box busy" : "menu-box", role: "combobox",
      "aria-label": settings.label, "aria-haspopup": "listbox", "aria-expanded": "false", "aria-controls": this.id,
      disabled: settings.disabled, title: settings.title, data: { control: settings.control },
      on: { click: () => this.toggle(), keydown: (event) => this.press(event) },
    }, this.shown, icon("chevron"));
    this.list = h("ul", { id: this.id, class: "menu-list", role: "listbox", "aria-label": settings.label, hidden: true });
    if (settings.most > 1) this.list.setAttribute("aria-multiselectable", "true");
    this.items = settings.options.map((option, index) => this.item(option, index));
    this.list.append(...this.items);
    this.element = h("div", { class: "menu", on: { focusout: (event) => this.left(event) } }, this.box, this.list);
    this.show();
  }

  item(option, index) {
    return h("li", { id: `${this.id}-${index}`, role: "option", on: {
      // Focus stays on the box, so that a click isn't taken for leaving the menu.
      pointerdown: (event) => event.preventDefault(),
      click: () => this.choose(index),
    } },
      option.emoji?.name && h("span", { class: "emoji", "aria-hidden": "true" }, option.emoji.name),
      h("span", { class: "menu-label" }, h("span", {}, option.label), option.description && h("small", {}, option.description)),
      h("span", { class: "tick", "aria-hidden": "true" }),
    );
  }

  show() {
    const labels = this.settings.options.filter((option) => this.chosen.includes(option.value)).map((option) => option.label);
    this.shown.textContent = labels.join(", ") || this.settings.label;
    this.shown.classList.toggle("placeholder", labels.length === 0);
    this.items.forEach((item, index) => {
      item.setAttribute("aria-selected", String(this.chosen.includes(this.settings.options[index].value)));
      item.classList.toggle("active", index === this.at);
    });
    if (this.at < 0) this.box.removeAttribute("aria-activedescendant");
    else this.box.setAttribute("aria-activedescendant", this.items[this.at].id);
    this.items[this.at]?.scrollIntoView({ block: "nearest" });
  }

  toggle() {
    if (this.list.hidden) this.open();
    else this.close();
  }

  open() {
    this.before = [...this.chosen];
    this.at = Math.max(0, this.settings.options.findIndex((option) => this.chosen.includes(option.value)));
    this.list.hidden = false;
    this.box.setAttribute("aria-expanded", "true");
    this.element.classList.toggle("upwards", this.box.getBoundingClientRect().top > window.innerHeight / 2);
    this.show();
  }

  close({ send = true } = {}) {
    if (this.list.hidden) return;
    this.list.hidden = true;
    this.box.setAttribute("aria-expanded", "false");
    this.at = -1;
    const fits = this.chosen.length >= this.settings.least && this.chosen.length <= this.settings.most;
    const changed = String(this.chosen) !== String(this.before);
    // Several options are sent once the menu closes, as a user can't tell the last click before.
    if (this.settings.most > 1 && send && changed && fits) this.settings.onChosen(this.chosen);
    else if (this.settings.most > 1 && !(send && fits)) this.chosen = this.before;
    this.show();
  }

  choose(index) {
    const { value } = this.settings.options[index];
    this.at = index;
    if (this.settings.most === 1) {
      this.chosen = [value];
      this.close({ send: false });
      this.settings.onChosen(this.chosen);
      return;
    }
    if (this.chosen.includes(value)) this.chosen = this.chosen.filter((other) => other !== value);
    else if (this.chosen.length < this.settings.most) this.chosen = [...this.chosen, value];
    this.show();
  }

  left(event) {
    if (!this.element.contains(event.relatedTarget)) this.close();
  }

  press(event) {
    const { key } = event;
    if (this.list.hidden) {
      if (key === "ArrowDown" || key === "ArrowUp") {
        event.preventDefault();
        this.open();
      }
      return;
    }
    const last = this.items.length - 1;
    const moves = { ArrowDown: Math.min(last, this.at + 1), ArrowUp: Math.max(0, this.at - 1), Home: 0, End: last };
    if (key in moves) {
      this.at = moves[key];
      this.show();
    } else if (key === "Enter" || key === " ") this.choose(this.at);
    else if (key === "Escape") this.close({ send: this.settings.most > 1 });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
