// One option of the command being typed: its text, what was picked for it, and what is wrong.

import { h } from "./dom.js";
import { KIND, choicesOf, matching, read, typeName } from "./options.js";

const MOST_SHOWN = 25;
const TYPING_PAUSE_MS = 120;

export class Pill {
  /** `composer` is told of keys, focus and changes; `suggest(option, typed)` asks the bot. */
  constructor(option, composer) {
    this.option = option;
    this.composer = composer;
    this.picked = null;
    this.asked = 0;
    const id = `option-${option.name}`;
    this.input = option.type === KIND.FILE ? this.fileInput(id) : this.textInput(id);
    this.element = h("span", { class: option.required ? "pill required" : "pill" }, h("label", { for: id }, option.name), this.input);
  }

  textInput(id) {
    const input = h("input", {
      id, type: "text", size: "3", role: "combobox", "aria-expanded": "false", "aria-controls": "palette-list", "aria-autocomplete": "list",
      "aria-label": this.option.name, "aria-required": String(Boolean(this.option.required)), autocapitalize: "off", spellcheck: "false",
      inputmode: [KIND.WHOLE, KIND.NUMBER].includes(this.option.type) && !this.option.autocomplete && !this.option.choices ? "decimal" : null,
      enterkeyhint: "next",
    });
    input.addEventListener("input", () => this.typed());
    input.addEventListener("focus", () => this.offer());
    input.addEventListener("blur", () => this.left());
    input.addEventListener("keydown", (event) => this.composer.pressInPill(event, this));
    return input;
  }

  fileInput(id) {
    const input = h("input", { id, type: "file", "aria-label": this.option.name });
    input.addEventListener("change", () => this.showProblem(null));
    input.addEventListener("keydown", (event) => this.composer.pressInPill(event, this));
    return input;
  }

  get text() {
    return this.input.value;
  }

  /** What is given so far: `{ value }`, `{ problem }`, or neither. */
  get reading() {
    if (this.option.type === KIND.FILE && this.input.files.length) return { value: this.input.files[0] };
    if (this.picked && this.picked.name === this.text) return { value: this.picked.value };
    return read(this.option, this.text);
  }

  get isSettled() {
    return this.picked !== null && this.picked.name === this.text;
  }

  set(text) {
    if (this.option.type === KIND.FILE) return;
    this.input.value = text;
    this.picked = null;
    this.fit();
  }

  pick(choice) {
    this.asked += 1;
    this.input.value = choice.name;
    this.picked = choice;
    this.fit();
    this.showProblem(null);
  }

  /** Say what is wrong; returns whether all is well. */
  check() {
    const { problem = null } = this.reading;
    this.showProblem(problem);
    return problem;
  }

  showProblem(problem) {
    this.element.classList.toggle("wrong", problem !== null);
    this.input.setAttribute("aria-invalid", String(problem !== null));
    this.input.title = problem ?? "";
  }

  typed() {
    this.picked = null;
    this.fit();
    this.showProblem(null);
    this.composer.clearError();
    if (!this.composer.jumpTo(this)) this.offer();
  }

  /** Hear that a key moved the highlight or closed the list. */
  steered(key) {
    // Suggestions still on their way must not open the list again.
    if (key === "Escape") this.asked += 1;
  }

  /** Say over which end of the text an arrow leaves it: -1, 1, or 0 for neither. */
  edge(key) {
    const { selectionStart, selectionEnd, value } = this.input;
    if (key === "ArrowLeft" && selectionEnd === 0) return -1;
    return key === "ArrowRight" && selectionStart === value.length ? 1 : 0;
  }

  left() {
    this.asked += 1;
    // An empty option is judged when the command is sent, not while one looks around.
    if (this.text) this.check();
  }

  fit() {
    this.input.size = Math.min(40, Math.max(3, this.text.length));
  }

  /** Show what this option is, and its choices. */
  offer() {
    const choices = choicesOf(this.option);
    this.asked += 1;
    if (choices) this.showChoices(matching(choices, this.isSettled ? "" : this.text));
    else if (this.option.autocomplete) this.ask();
    else this.composer.palette.show(this.input, this.heading());
  }

  heading() {
    return { title: this.option.name, hint: `${this.option.description} (${typeName(this.option)}${this.option.required ? "" : ", optional"})` };
  }

  showChoices(choices, note = choices.length ? "" : "No options match your search.") {
    const items = choices.slice(0, MOST_SHOWN).map((choice) => ({ key: choice, name: choice.name }));
    const highlight = Math.max(0, items.findIndex((item) => this.isSettled && item.name === this.text));
    this.composer.palette.show(this.input, { ...this.heading(), items, note, highlight });
  }

  ask() {
    const number = this.asked;
    this.composer.palette.show(this.input, { ...this.heading(), note: "Loading options…" });
    setTimeout(async () => {
      if (number !== this.asked) return;
      let show = null;
      try {
        const choices = await this.composer.suggest(this.option, this.isSettled ? "" : this.text);
        show = () => this.showChoices(choices);
      } catch (error) {
        show = () => this.composer.palette.show(this.input, { ...this.heading(), note: `Loading options failed. ${error.message}` });
      }
      // What comes after another letter, or for an option that one has left, is out of date.
      if (number === this.asked) show();
    }, TYPING_PAUSE_MS);
  }
}

/** Turn a file into what the sandbox takes. */
export async function packed(value) {
  if (!(value instanceof File)) return value;
  const address = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(value);
  });
  return { filename: value.name, base64: address.slice(address.indexOf(",") + 1) };
}
