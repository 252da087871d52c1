// The message box: plain messages, and commands with their options as Discord's client offers them.

import { fill, h } from "./dom.js";
import { matching, parse, typeName } from "./options.js";
import { Palette } from "./palette.js";
import { Pill, packed } from "./pill.js";

export class Composer {
  /** `page` has commands, placeholder, send(text), run(path, options) and suggest(...). */
  constructor(page) {
    this.page = page;
    const find = (id) => document.getElementById(id);
    [this.form, this.input, this.chip, this.pillBox, this.error] = ["composer", "composer-input", "chip", "pills", "composer-error"].map(find);
    this.palette = new Palette(find("palette"), (item) => this.pick(item));
    this.command = null;
    this.pills = [];
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.input.addEventListener("input", () => this.typed());
    this.input.addEventListener("focus", () => this.offer());
    this.input.addEventListener("keydown", (event) => this.press(event));
    this.form.addEventListener("focusout", (event) => !this.form.contains(event.relatedTarget) && this.palette.hide());
    find("composer-box").addEventListener("click", (event) => event.target.id === "composer-box" && this.input.focus());
  }

  /** Begin anew, as in another channel. */
  reset() {
    this.leave("");
    this.palette.hide();
    this.clearError();
  }

  refresh() {
    this.input.placeholder = this.command ? this.tailHint() : this.page.placeholder;
    this.input.setAttribute("aria-label", this.command ? "Optional options" : this.page.placeholder);
    // The commands may have come while one waits for them with "/" typed.
    if (document.activeElement === this.input) this.offer();
  }

  typed() {
    this.clearError();
    const { value } = this.input;
    if (this.command) {
      const named = /^([\w'-]+):$/.exec(value.trim());
      const option = named && this.left().find(({ name }) => name === named[1]);
      if (option) return this.addPill(option);
    } else if (value.startsWith("/")) {
      const fits = this.page.commands.filter(({ path }) => value.startsWith(`/${path} `));
      const command = fits.sort((one, other) => other.path.length - one.path.length)[0];
      if (command) return this.enter(command, value.slice(command.path.length + 2));
    }
    this.grow();
    return this.offer();
  }

  offer() {
    if (this.command) return this.offerOptions();
    const { value } = this.input;
    if (!value.startsWith("/")) return this.palette.hide();
    const found = matching(this.page.commands, value.slice(1), (command) => command.path);
    const items = found.map((command) => ({
      key: command, name: command.path, label: `/${command.path}`, detail: command.description, mark: "/",
      tag: command.options.filter((option) => option.required).map((option) => option.name).join("  "),
    }));
    const note = items.length ? "" : this.page.commands.length ? "No commands match." : "No commands are offered here.";
    return this.palette.show(this.input, { title: "Commands", items, note });
  }

  offerOptions() {
    const typed = this.input.value;
    const found = matching(this.left(), typed.replace(/:$/, ""), (option) => option.name);
    const items = found.map((option) => ({ key: option, name: option.name, detail: option.description, tag: typeName(option) }));
    if (!items.length && !typed) return this.palette.hide();
    const note = items.length ? "" : "No option has this name.";
    // With nothing typed Enter sends the command, so nothing is highlighted.
    return this.palette.show(this.input, { title: "Optional", hint: "Enter sends the command", items, note, highlight: typed ? 0 : -1 });
  }

  pick(item) {
    if (!this.command) return this.enter(item.key);
    if (this.palette.input === this.input) return this.addPill(item.key);
    const pill = this.pills.find(({ input }) => input === this.palette.input);
    pill.pick(item.key);
    return this.goOn(pill);
  }

  enter(command, rest = "") {
    this.command = command;
    this.chip.textContent = `/${command.path}`;
    this.chip.hidden = false;
    this.input.value = "";
    this.grow();
    this.pills = command.options.filter((option) => option.required).map((option) => new Pill(option, this));
    fill(this.pillBox, this.pills.map((pill) => pill.element));
    for (const [name, text] of parse(command, rest)) this.pillFor(name).set(text);
    this.refresh();
    this.goOn();
  }

  leave(text) {
    this.command = null;
    this.pills = [];
    this.chip.hidden = true;
    fill(this.pillBox);
    this.input.value = text;
    this.grow();
    this.refresh();
  }

  left() {
    const taken = this.pills.map((pill) => pill.option.name);
    return this.command.options.filter(({ name }) => !taken.includes(name));
  }

  pillFor(name) {
    const found = this.pills.find(({ option }) => option.name === name);
    if (found) return found;
    const pill = new Pill(this.command.options.find((option) => option.name === name), this);
    this.pills.push(pill);
    this.pillBox.append(pill.element);
    return pill;
  }

  addPill(option) {
    this.input.value = "";
    this.pillFor(option.name).input.focus();
    this.refresh();
  }

  removePill(pill) {
    const at = this.pills.indexOf(pill);
    pill.element.remove();
    this.pills.splice(at, 1);
    this.refresh();
    (this.pills[at - 1]?.input ?? this.input).focus();
  }

  /** Follow somebody who types on with another option's name: "breakout days:". */
  jumpTo(pill) {
    const named = /^(?:(.*)\s)?([\w'-]+):$/.exec(pill.text);
    if (!named || !this.command.options.some(({ name }) => name === named[2])) return false;
    pill.set(named[1] ?? "");
    const next = this.pillFor(named[2]);
    this.refresh();
    if (next === pill) pill.offer();
    next.input.focus();
    return true;
  }

  /** Go to the next option that still needs a value, or to the end. */
  goOn(from = null) {
    const start = this.pills.indexOf(from) + 1;
    const order = [...this.pills.slice(start), ...this.pills.slice(0, start)];
    const next = order.find((pill) => pill !== from && pill.reading.value === undefined) ?? null;
    (next?.input ?? this.input).focus();
  }

  press(event) {
    if (event.isComposing) return;
    const { key, shiftKey } = event;
    const empty = this.input.value === "";
    if (this.steer(event)) return;
    if (key === "Tab" && !shiftKey && !empty && this.palette.take()) event.preventDefault();
    else if (key === "Enter" && !shiftKey) {
      event.preventDefault();
      if (!this.palette.take()) this.submit();
    } else if (key === "Escape" && this.command) this.leave("");
    else if (key === "Backspace" && empty && this.command) {
      event.preventDefault();
      if (this.pills.length) this.pills.at(-1).input.focus();
      else this.back();
    } else if (key === "ArrowLeft" && empty && this.pills.length) this.pills.at(-1).input.focus();
  }

  pressInPill(event, pill) {
    if (event.isComposing) return undefined;
    const { key, shiftKey } = event;
    if (this.steer(event)) return pill.steered(event.key);
    if (key === "Enter" || (key === "Tab" && !shiftKey)) {
      if (!pill.isSettled && this.palette.take()) event.preventDefault();
      else if (key === "Enter") {
        event.preventDefault();
        this.submit();
      } else if (pill.text && !pill.check()) {
        event.preventDefault();
        this.goOn(pill);
      }
    } else if (key === "Escape") this.leave("");
    else if (key === "Backspace" && pill.text === "") {
      event.preventDefault();
      this.goBack(pill);
    } else this.step(event, pill);
    return undefined;
  }

  // Arrows move the highlight, Escape closes the list first.
  steer(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    const moves = event.key in steps && this.palette.isOpen && this.palette.items.length > 0;
    const closes = event.key === "Escape" && this.palette.isOpen;
    if (!moves && !closes) return false;
    event.preventDefault();
    if (moves) this.palette.move(steps[event.key]);
    else this.palette.hide();
    return true;
  }

  step(event, pill) {
    const next = this.pills.indexOf(pill) + pill.edge(event.key);
    const goes = next === this.pills.length ? this.input : this.pills[next]?.input;
    if (!goes || goes === pill.input) return;
    event.preventDefault();
    goes.focus();
  }

  goBack(pill) {
    const at = this.pills.indexOf(pill);
    if (!pill.option.required) this.removePill(pill);
    else if (at > 0) this.pills[at - 1].input.focus();
    else this.back();
  }

  back() {
    this.leave(`/${this.command.path}`);
    this.input.focus();
    this.offer();
  }

  async submit() {
    try {
      if (this.command) await this.submitCommand();
      else await this.submitText();
    } catch (error) {
      this.fail(error.message);
    }
  }

  async submitText() {
    const text = this.input.value.trim();
    if (!text) return;
    if (/^\/[a-z]/.test(text)) {
      const command = this.page.commands.find(({ path }) => `/${path}` === text);
      if (command) this.enter(command);
      else this.fail(`There is no command ${text.split(" ")[0]} here.`);
      return;
    }
    await this.page.send(text);
    this.reset();
  }

  async submitCommand() {
    const { command } = this;
    const wrong = this.pills.map((pill) => [pill, pill.check()]).filter(([, problem]) => problem !== null);
    if (wrong.length) {
      const [pill, problem] = wrong[0];
      this.fail(`${pill.option.name}: ${problem}`);
      pill.input.focus();
      return;
    }
    if (this.input.value.trim()) {
      this.fail(`${this.input.value.trim()}: no option has this name.`);
      return;
    }
    await this.page.run(command.path, await this.given());
    if (this.command === command) this.reset();
    this.input.focus();
  }

  async given(except = null) {
    const others = this.pills.filter((pill) => pill.option !== except);
    const known = others.map((pill) => [pill.option.name, pill.reading.value]).filter(([, value]) => value !== undefined);
    return Object.fromEntries(await Promise.all(known.map(async ([name, value]) => [name, await packed(value)])));
  }

  async suggest(option, typed) {
    return this.page.suggest(this.command.path, option.name, typed, await this.given(option));
  }

  tailHint() {
    const count = this.left().length;
    return count ? `+${count} optional` : "";
  }

  grow() {
    this.input.style.height = "auto";
    this.input.style.height = `${this.input.scrollHeight}px`;
  }

  fail(text) {
    fill(this.error, h("span", {}, text));
    this.error.hidden = false;
  }

  clearError() {
    this.error.hidden = true;
  }
}
