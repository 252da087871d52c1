// One message, from the JSON that the sandbox sends to the element on the page.

import { avatar, h, icon } from "./dom.js";
import { component } from "./components.js";
import { embed, files } from "./embeds.js";
import { inline, markdown } from "./markdown.js";
import { clock, sent } from "./times.js";

const THREAD_CREATED = 18;
const PINNED = 6;
const LAYOUTS = new Set([9, 10, 12, 13, 14, 17]);

export const NO_ANSWER = "The application did not respond";

/** Draw a message; `context` has names, busy, failed and the page's ways to react. */
export function message(data, context) {
  if (data.kind === THREAD_CREATED || data.kind === PINNED) return systemLine(data, context);
  const head = data.used ? usedLine(data.used) : data.reply ? replyLine(data.reply, context) : null;
  const body = h("div", { class: "message-body" }, header(data), content(data, context), foot(data, context));
  const name = ["message", data.ephemeral && "ephemeral", data.pings_me && "pinged", head && "with-head"].filter(Boolean).join(" ");
  return h("article", { class: name, "aria-label": `Message from ${data.author.name}` },
    head, avatar(data.author), h("time", { class: "side-time", "aria-hidden": "true" }, clock(data.created_at)), body);
}

/** Draw a command that has no answer yet, or never got one. */
export function pendingCommand(interaction, user, bot, onDismiss) {
  const failed = interaction.stage === "failed";
  const text = failed
    ? h("div", { class: "failure" }, icon("warning"), NO_ANSWER)
    : h("div", { class: "thinking" }, dots(), "Sending command…");
  const note = failed && interaction.refusals.length > 0 && h("div", { class: "refusals" }, interaction.refusals.join("; "));
  const body = h("div", { class: "message-body" }, header({ author: bot, created_at: interaction.created_at }), text, note,
    failed && privately(onDismiss));
  return h("article", { class: failed ? "message ephemeral with-head" : "message with-head", "aria-label": `Command /${interaction.command}` },
    usedLine({ author: user, command: interaction.command }), avatar(bot), body);
}

/** Draw a message for the list of pinned ones: without its controls. */
export function pinned(data, context, onJump) {
  const body = h("div", { class: "message-body" }, header(data), content({ ...data, components: [] }, context));
  return h("article", { class: "message", "aria-label": `Pinned message from ${data.author.name}` }, avatar(data.author), body,
    h("button", { type: "button", class: "button secondary jump", on: { click: () => onJump(data.id) } }, "Jump"));
}

/** The three dots of somebody at work. */
export function dots() {
  return h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i"));
}

function header(data) {
  return h("header", {},
    h("span", { class: "author" }, data.author.name),
    data.author.bot && h("span", { class: "tag" }, "BOT"),
    sent(data.created_at),
    data.pinned && h("span", { class: "pin", title: "Pinned" }, icon("pin"), h("span", { class: "unseen" }, "Pinned")),
  );
}

function content(data, context) {
  if (data.failed) return h("div", { class: "failure" }, icon("warning"), NO_ANSWER);
  if (data.loading) return h("div", { class: "thinking" }, dots(), `${data.author.name} is thinking…`);
  const edited = data.edited && h("span", { class: "edited" }, " (edited)");
  const text = data.content ? h("div", { class: "markup content" }, markdown(data.content, context.names)) : null;
  if (text && edited) (lastParagraph(text) ?? text).append(edited);
  return [
    text,
    data.embeds.map((item) => embed(item, context.names, context.open)),
    files(data.files ?? [], context.open),
    data.components.length > 0 && h("div", { class: data.components.some((item) => LAYOUTS.has(item.type)) ? "controls layout" : "controls" },
      data.components.map((item) => component(item, context))),
    edited && !text && h("div", {}, edited),
  ];
}

function lastParagraph(text) {
  return text.lastElementChild?.classList.contains("paragraph") ? text.lastElementChild : null;
}

function foot(data, context) {
  return [
    context.failed && h("div", { class: "failure", role: "alert" }, icon("warning"), "This interaction failed"),
    context.failed && context.failed.refusals.length > 0 && h("div", { class: "refusals" }, context.failed.refusals.join("; ")),
    data.thread && threadCard(data.thread, context),
    data.ephemeral && privately(() => context.dismiss(data.id)),
  ];
}

function privately(onDismiss) {
  return h("div", { class: "privately" }, icon("eye"), "Only you can see this · ",
    h("button", { type: "button", class: "as-link", "aria-label": "Dismiss message", on: { click: onDismiss } }, "Dismiss"));
}

function usedLine({ author, command }) {
  return h("div", { class: "message-head" }, avatar(author), h("span", { class: "author" }, author.name), " used ",
    h("span", { class: "mention" }, `/${command}`));
}

function replyLine({ id, author, text }, context) {
  return h("div", { class: "message-head" }, avatar(author), h("span", { class: "author" }, author.name),
    h("button", { type: "button", class: "as-text", "aria-label": "Jump to the message replied to", on: { click: () => context.jump(id) } },
      text ? inline(text.split("\n")[0], context.names) : "Click to see the message"));
}

function threadCard(thread, context) {
  return h("button", { type: "button", class: "thread-card", on: { click: () => context.go(thread.id) } },
    icon("thread"), h("span", {}, h("strong", {}, thread.name), h("small", {}, thread.archived ? "Archived thread" : "See thread ›")));
}

function systemLine(data, context) {
  const what = data.kind === PINNED
    ? " pinned a message to this channel."
    : [" started a thread: ", h("strong", {}, data.content), "."];
  return h("article", { class: "message system", "aria-label": "Notice" }, icon(data.kind === PINNED ? "pin" : "thread"),
    h("div", { class: "message-body" }, h("span", { class: "author" }, data.author.name), what, " ", sent(data.created_at),
      data.thread && threadCard(data.thread, context)));
}
