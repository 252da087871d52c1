// A form that the bot opened: filled here, kept open until the bot has taken it.

import { append, fill, h, icon } from "./dom.js";
import { markdown } from "./markdown.js";

const ROW = 1;
const STRING_SELECT = 3;
const TEXT_INPUT = 4;
const TEXT = 10;
const LABEL = 18;
const PARAGRAPH = 2;
const LONGEST = 4000;

export class ModalForm {
  /** `submit(interaction, values)` returns the new interaction's id, `known(id)` what it became. */
  constructor(dialog, submit, known) {
    this.dialog = dialog;
    this.submit = submit;
    this.known = known;
    this.sent = null;
    dialog.addEventListener("close", () => {
      this.sent = null;
    });
    // A click on the backdrop is a click on the dialog itself; the form covers the rest.
    dialog.addEventListener("pointerdown", (event) => event.target === dialog && dialog.close());
  }

  open(event, names) {
    this.interaction = event.interaction;
    this.fields = [];
    this.error = h("p", { class: "modal-error", role: "alert", hidden: true });
    this.button = h("button", { type: "submit", class: "button primary" }, "Submit");
    const close = () => this.dialog.close();
    fill(this.dialog, h("form", { novalidate: true, on: { submit: (e) => this.send(e) } },
      h("header", {}, h("h2", { id: "modal-title" }, event.title),
        h("button", { type: "button", class: "icon-button", "aria-label": "Close", on: { click: close } }, icon("close"))),
      h("div", { class: "modal-fields" }, event.components.map((item) => this.draw(item, names))),
      this.error,
      h("footer", {}, h("button", { type: "button", class: "button secondary", on: { click: close } }, "Cancel"), this.button),
    ));
    if (!this.dialog.open) this.dialog.showModal();
    this.fields[0]?.input.focus();
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  /** Hear what became of what the user sent. */
  follow(interaction) {
    if (!this.sent || interaction.id !== this.sent || interaction.stage === "waiting") return;
    if (interaction.stage === "failed") this.fail(["Something went wrong. Try again.", ...interaction.refusals].join(" "));
    else this.close();
  }

  draw(item, names) {
    if (item.type === TEXT) return h("div", { class: "markup" }, markdown(item.content, names));
    if (item.type === ROW) return item.components.map((child) => this.field(child, child));
    if (item.type === LABEL) return this.field(item.component, item);
    return h("p", {}, `This page can't show components of type ${item.type}.`);
  }

  field(item, labelled) {
    const id = `field-${this.fields.length}`;
    const required = item.required ?? true;
    const note = h("span", { class: "field-note", id: `${id}-note` });
    const input = item.type === TEXT_INPUT ? textInput(item) : menuInput(item);
    Object.assign(input, { id, required });
    input.setAttribute("aria-describedby", note.id);
    const field = { input, note, item, required, label: labelled.label };
    input.addEventListener("input", () => this.check(field, { typing: true }));
    this.fields.push(field);
    return h("div", { class: "field" },
      h("label", { for: id }, labelled.label, required && h("span", { class: "star", "aria-hidden": "true" }, " *")),
      labelled.description && h("p", { class: "field-help" }, labelled.description),
      input, note,
    );
  }

  check(field, { typing = false } = {}) {
    const { value } = field.input;
    const least = Math.max(field.item.min_length ?? 0, 1);
    const problem = !value && field.required ? "This field is required"
      : value && value.length < least ? `Must be ${least} or more characters` : "";
    const counted = field.item.max_length ? `${value.length} of ${field.item.max_length} characters` : "";
    field.note.textContent = (typing ? "" : problem) || counted;
    field.note.classList.toggle("wrong", Boolean(problem) && !typing);
    field.input.setAttribute("aria-invalid", String(Boolean(problem) && !typing));
    return !problem;
  }

  async send(event) {
    event.preventDefault();
    const wrong = this.fields.filter((field) => !this.check(field));
    if (wrong.length) {
      wrong[0].input.focus();
      return;
    }
    this.error.hidden = true;
    this.wait(true);
    const values = Object.fromEntries(this.fields.filter(({ item }) => [STRING_SELECT, TEXT_INPUT].includes(item.type)).map(({ item, input }) => [item.custom_id, input.value]));
    try {
      this.sent = await this.submit(this.interaction, values);
      // The bot may have answered before the browser heard that the form was sent.
      const already = this.known(this.sent);
      if (already) this.follow(already);
    } catch (error) {
      this.fail(error.message);
    }
  }

  fail(text) {
    this.sent = null;
    this.wait(false);
    this.error.textContent = text;
    this.error.hidden = false;
  }

  wait(on) {
    this.button.disabled = on;
    this.button.classList.toggle("busy", on);
  }
}

function textInput(item) {
  const long = item.style === PARAGRAPH;
  const input = h(long ? "textarea" : "input", { placeholder: item.placeholder, maxlength: String(item.max_length ?? LONGEST) });
  if (long) input.rows = 4;
  else input.type = "text";
  input.value = item.value ?? "";
  return input;
}

function menuInput(item) {
  const menu = h("select", { disabled: item.type !== STRING_SELECT });
  append(menu, h("option", { value: "" }, item.placeholder ?? "Make a selection"));
  for (const option of item.options ?? []) {
    append(menu, h("option", { value: option.value, selected: option.default }, option.label));
  }
  return menu;
}
