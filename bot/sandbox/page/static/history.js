// The list of messages: keeps each message's element up to date and the view at its place.

import { h } from "./dom.js";
import { message, pendingCommand } from "./message.js";
import { dayName } from "./times.js";

const GROUPED_WITHIN_S = 7 * 60;
const AT_END_PX = 48;

const isBefore = (one, other) => (one.length === other.length ? one < other : one.length < other.length);

export class History {
  /** `page` gives names, user, bot and the ways to react: use, open, go, jump, dismiss. */
  constructor({ scroller, list, toPresent }, page) {
    Object.assign(this, { scroller, list, toPresent, page });
    this.messages = new Map();
    this.interactions = new Map();
    this.sticks = true;
    this.lastTop = 0;
    scroller.addEventListener("scroll", () => this.scrolled());
    toPresent.addEventListener("click", () => this.toEnd());
    // Pictures and menus change heights at any time.
    const follow = new ResizeObserver(() => this.sticks && this.toEnd());
    follow.observe(list.parentElement);
    follow.observe(scroller);
  }

  /** Begin anew with these messages. */
  reset(messages) {
    this.messages.clear();
    this.interactions.clear();
    this.list.replaceChildren();
    messages.forEach((data) => this.place(data));
    this.group();
    this.toEnd();
  }

  /** Show a new message or a new version of one. */
  put(data) {
    const isNew = !this.messages.has(data.id);
    this.place(data);
    this.group();
    if (this.sticks) this.toEnd();
    else if (isNew) this.toPresent.hidden = false;
  }

  /** Show older messages above and leave the view where it was. */
  prepend(messages) {
    const before = this.scroller.scrollHeight;
    messages.forEach((data) => this.place(data));
    this.group();
    this.scroller.scrollTop += this.scroller.scrollHeight - before;
  }

  remove(id) {
    if (!this.messages.has(id)) return;
    this.messages.get(id).item.remove();
    this.messages.delete(id);
    this.group();
  }

  /** Follow what the user did, and show what became of it. */
  follow(interaction) {
    const before = this.interactions.get(interaction.id);
    this.interactions.set(interaction.id, interaction);
    if (interaction.kind === "command") this.showPending(interaction);
    const isSettled = before && before.stage === interaction.stage;
    if (interaction.source && !isSettled) this.redraw(interaction.source);
  }

  redraw(id) {
    const found = this.messages.get(id);
    if (found) this.place(found.data);
  }

  /** Draw all again, as the names may have changed. */
  redrawAll() {
    for (const { data } of [...this.messages.values()]) this.place(data);
    this.group();
  }

  // Only a person scrolls upwards; what is drawn anew moves the end away, and that is followed.
  scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    if (scrollHeight - scrollTop - clientHeight < AT_END_PX) this.sticks = true;
    else if (scrollTop < this.lastTop) this.sticks = false;
    this.lastTop = scrollTop;
    if (this.sticks) this.toPresent.hidden = true;
  }

  toEnd() {
    this.sticks = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.lastTop = this.scroller.scrollTop;
    this.toPresent.hidden = true;
  }

  /** Bring a message into view; false if it isn't here. */
  jump(id) {
    const item = this.messages.get(id)?.item;
    if (!item) return false;
    item.scrollIntoView({ block: "center" });
    item.classList.remove("flash");
    requestAnimationFrame(() => item.classList.add("flash"));
    return true;
  }

  oldest() {
    return this.list.firstElementChild?.dataset.id ?? null;
  }

  place(data) {
    if (this.page.isDismissed(data.id)) return;
    const found = this.messages.get(data.id);
    const item = h("li", { data: { id: data.id } }, this.draw(data));
    this.messages.set(data.id, { data, item });
    if (found) {
      const control = found.item.contains(document.activeElement) ? document.activeElement.dataset.control : null;
      keepPictures(found.item, item);
      found.item.replaceWith(item);
      if (control) item.querySelector(`[data-control="${CSS.escape(control)}"]`)?.focus();
      return;
    }
    let next = null;
    for (let other = this.list.lastElementChild; other && isBefore(data.id, other.dataset.id); other = other.previousElementSibling) next = other;
    this.list.insertBefore(item, next);
  }

  context(data) {
    const own = [...this.interactions.values()].filter((interaction) => interaction.source === data.id);
    const last = own.at(-1);
    const { names, open, go, use } = this.page;
    return {
      names,
      open,
      go,
      busy: new Set(own.filter((interaction) => interaction.stage === "waiting").map((interaction) => interaction.control)),
      failed: last?.stage === "failed" && last.kind === "component" ? last : null,
      use: (action, control, values) => use(action, data.id, control, values),
      jump: (id) => this.jump(id),
      dismiss: (id) => {
        this.page.remember(id);
        this.remove(id);
      },
    };
  }

  draw(data) {
    if (!data.pending) return message(data, this.context(data));
    return pendingCommand(data.pending, this.page.user, this.page.bot, () => {
      this.page.remember(data.id);
      this.remove(data.id);
    });
  }

  // A deferred answer that never came is a message already; it says by itself that it failed.
  showPending(interaction) {
    const { id, stage, created_at: createdAt } = interaction;
    const isOpen = stage === "waiting" || (stage === "failed" && interaction.answer === "");
    if (!isOpen) {
      this.remove(id);
      return;
    }
    const isPrivate = stage === "failed";
    this.put({ id, pending: interaction, author: this.page.bot, created_at: createdAt, used: true, ephemeral: isPrivate });
  }

  group() {
    let previous = null;
    for (const item of this.list.children) {
      const { data } = this.messages.get(item.dataset.id);
      const newDay = !previous || dayName(previous.created_at) !== dayName(data.created_at);
      const joined = previous && !newDay && previous.author.id === data.author.id
        && data.created_at - previous.created_at < GROUPED_WITHIN_S && previous.ephemeral === data.ephemeral
        && !data.used && !data.reply && previous.kind !== 18 && previous.kind !== 6;
      item.classList.toggle("grouped", Boolean(joined));
      if (newDay) item.dataset.day = dayName(data.created_at);
      else delete item.dataset.day;
      previous = data;
    }
  }
}

// A picture that is drawn already moves over, so that an edit doesn't make the view jump.
function keepPictures(before, after) {
  const drawn = new Map([...before.querySelectorAll("img")].filter((picture) => picture.complete).map((picture) => [picture.src, picture]));
  for (const picture of after.querySelectorAll("img")) drawn.get(picture.src) && picture.replaceWith(drawn.get(picture.src));
}
