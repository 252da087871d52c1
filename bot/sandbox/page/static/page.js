// The page as a whole: who one is, where one is, and what comes in and goes out.

import { act, listen, read } from "./api.js";
import { Composer } from "./composer.js";
import { fill, h, icon } from "./dom.js";
import { History } from "./history.js";
import { dots, pinned } from "./message.js";
import { ModalForm } from "./modal.js";
import { Drawers, channelList, threadsOf, userSwitch } from "./sidebar.js";
import { refreshRelative } from "./times.js";

const TYPING_MS = 10_000;
const REFRESH_MS = 1000;
const SIGNS = { text: "hash", thread: "thread", direct: "at" };
const find = (id) => document.getElementById(id);

class Page {
  constructor(start) {
    this.start = start;
    this.commands = [];
    this.channels = [];
    this.names = { users: {}, roles: {}, channels: {} };
    this.pins = new Map();
    this.own = new Set();
    this.modals = new Map();
    this.dismissed = new Set(JSON.parse(sessionStorage.getItem("dismissed") ?? "[]"));
    this.drawers = new Drawers();
    this.history = new History({ scroller: find("scroller"), list: find("messages"), toPresent: find("to-present") }, this);
    this.composer = new Composer(this);
    this.modal = new ModalForm(find("modal"), (...sent) => this.submitModal(...sent), (id) => this.history.interactions.get(id));
    this.bindButtons();
  }

  bindButtons() {
    fill(find("menu"), icon("menu"));
    fill(find("pins-button"), icon("pin"));
    fill(find("threads-button"), icon("thread"));
    fill(find("panel-close"), icon("close"));
    fill(find("send"), icon("send"));
    find("guild").textContent = this.start.guild;
    find("pins-button").addEventListener("click", (event) => this.drawers.toggle(event.currentTarget, "Pinned messages", () => this.drawPins()));
    find("threads-button").addEventListener("click", (event) => this.drawers.toggle(event.currentTarget, "Threads", () => this.drawThreads()));
    find("older").addEventListener("click", () => this.loadOlder());
    find("lightbox").addEventListener("click", () => find("lightbox").close());
    // Who just types means the message box, as in Discord's client.
    document.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
      if (target === document.body && key.length === 1 && key !== " " && !(ctrlKey || metaKey || altKey)) this.composer.input.focus();
    });
    window.addEventListener("hashchange", () => this.settle());
    setInterval(() => refreshRelative(), REFRESH_MS);
  }

  /** Be and go where the address says. */
  settle() {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const known = this.start.users.map((user) => user.name);
    this.userName = known.includes(wanted.get("user")) ? wanted.get("user") : known[0];
    this.channelId = wanted.get("channel") ?? this.start.channel;
    this.stop?.();
    this.modal.close();
    this.modals.clear();
    userSwitch(find("users"), this.start.users, this.userName, (name) => this.moveTo({ user: name }));
    this.composer.reset();
    this.stop = listen(this.where(), (event) => this.hear(event), (isConnected) => this.setConnected(isConnected));
  }

  where() {
    return { user: this.userName, channel: this.channelId };
  }

  moveTo(change) {
    this.drawers.showSidebar(false);
    this.drawers.closePanel();
    const next = `#${new URLSearchParams({ ...this.where(), ...change })}`;
    if (next === location.hash) return;
    location.hash = next;
  }

  go(id) {
    this.moveTo({ channel: id });
  }

  setConnected(isConnected) {
    this.showStatus(isConnected ? "" : "The connection to the sandbox is lost. Connecting again…");
  }

  showStatus(text) {
    find("status").hidden = text === "";
    find("status").textContent = text;
  }

  hear(event) {
    const hears = {
      snapshot: () => this.showAll(event),
      message: () => this.showMessage(event.message),
      deleted: () => this.forget(event.id),
      interaction: () => this.follow(event),
      modal: () => this.offerModal(event),
      commands: () => this.setCommands(event.commands),
      channels: () => this.setChannels(event),
      typing: () => this.showTyping(event.name),
      gone: () => this.leave(event.reason),
    };
    hears[event.type]?.();
  }

  showAll(event) {
    this.user = event.user;
    this.bot = event.bot;
    this.setChannels(event, { redraw: false });
    this.pins = new Map(event.pins.map((message) => [message.id, message]));
    this.history.reset(event.messages);
    find("older").hidden = !event.has_older;
    find("welcome").hidden = event.has_older;
    this.setCommands(event.commands);
    this.drawers.refresh();
    document.body.dataset.ready = `${this.userName} ${this.channelId}`;
  }

  setChannels(event, { redraw = true } = {}) {
    this.channels = event.channels;
    this.names = event.names;
    this.channel = event.channel;
    this.canWrite = event.can_write;
    const { kind, name, topic, archived } = event.channel;
    fill(find("title"), icon(SIGNS[kind]), name, archived && h("small", {}, " (archived)"));
    find("topic").textContent = topic;
    document.title = kind === "text" ? `#${name}` : name;
    const what = kind === "direct" ? `This is the beginning of your direct messages with ${name}.` : `This is the start of ${kind === "thread" ? "the thread" : `#${name}`}.`;
    fill(find("welcome"), h("span", { class: "welcome-sign" }, icon(SIGNS[kind])), h("p", { class: "welcome-title" }, kind === "text" ? `Welcome to #${name}!` : name), h("p", {}, what, " Type / to see the commands."));
    channelList(find("channels"), this.channels, this.channel.id, (id) => this.go(id));
    if (redraw) this.history.redrawAll();
    this.drawers.refresh();
    this.composer.refresh();
  }

  setCommands(commands) {
    this.commands = commands;
    this.composer.refresh();
  }

  get placeholder() {
    const { kind, name } = this.channel ?? { kind: "text", name: "…" };
    if (this.channel && !this.canWrite) return "You can't write here";
    return `Message ${kind === "text" ? `#${name}` : kind === "direct" ? `@${name}` : name}`;
  }

  showMessage(message) {
    if (message.pinned) this.pins.set(message.id, message);
    else this.pins.delete(message.id);
    this.history.put(message);
    if (message.author.bot) this.showTyping("");
    this.drawers.refresh();
  }

  forget(id) {
    this.pins.delete(id);
    this.history.remove(id);
    this.drawers.refresh();
  }

  follow(interaction) {
    this.history.follow(interaction);
    this.modal.follow(interaction);
  }

  // A form opens only where its command was used, not in every page of the same user.
  offerModal(event) {
    this.modals.set(event.interaction, event);
    this.openModals();
  }

  openModals() {
    for (const [id, event] of this.modals) {
      if (!this.own.has(id)) continue;
      this.modals.delete(id);
      this.modal.open(event, this.names);
    }
  }

  async carryOut(action, body) {
    const done = await act(action, { ...this.where(), ...body });
    if (done.interaction) this.own.add(done.interaction);
    this.openModals();
    return done;
  }

  send(text) {
    return this.carryOut("send", { text });
  }

  run(command, options) {
    return this.carryOut("slash", { command, options });
  }

  async suggest(command, option, typed, options) {
    return (await this.carryOut("suggest", { command, option, typed, options })).choices;
  }

  async use(action, message, control, values) {
    try {
      await this.carryOut(action, { message, control, values });
      this.composer.clearError();
    } catch (error) {
      this.composer.fail(error.message);
    }
  }

  async submitModal(interaction, values) {
    return (await this.carryOut("submit", { interaction, values })).interaction;
  }

  async loadOlder() {
    try {
      const { messages, has_older: hasOlder } = await read("older", { ...this.where(), before: this.history.oldest() ?? "0" });
      find("older").hidden = !hasOlder;
      find("welcome").hidden = hasOlder;
      this.history.prepend(messages);
    } catch (error) {
      this.composer.fail(error.message);
    }
  }

  isDismissed(id) {
    return this.dismissed.has(id);
  }

  remember(id) {
    this.dismissed.add(id);
    sessionStorage.setItem("dismissed", JSON.stringify([...this.dismissed].slice(-500)));
  }

  open = (address, text) => {
    const large = h("img", { src: address, alt: text });
    fill(find("lightbox"), large, h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, "Open in a new tab"));
    find("lightbox").showModal();
  };

  go = this.go.bind(this);

  use = this.use.bind(this);

  drawPins() {
    if (!this.pins.size) return h("p", { class: "nothing" }, "This channel has no pinned messages… yet.");
    const jump = (id) => {
      this.drawers.closePanel();
      if (!this.history.jump(id)) this.composer.fail("This message is further up: load older messages first.");
    };
    const context = { names: this.names, open: this.open, go: this.go, use: () => {}, busy: new Set() };
    return h("ol", { "aria-label": "Pinned messages" }, [...this.pins.values()].reverse().map((message) => h("li", {}, pinned(message, context, jump))));
  }

  drawThreads() {
    const parent = this.channel.parent || this.channel.id;
    const threads = threadsOf(this.channels, parent);
    if (!threads.length) return h("p", { class: "nothing" }, "There are no threads here.");
    return h("ul", { "aria-label": "Threads" }, threads.map((thread) => h("li", {},
      h("button", { type: "button", class: "thread-card", on: { click: () => this.go(thread.id) } }, icon("thread"),
        h("span", {}, h("strong", {}, thread.name), h("small", {}, thread.archived ? "Archived" : "Open thread ›"))))));
  }

  showTyping(name) {
    clearTimeout(this.typingTimer);
    fill(find("typing"), name && [dots(), h("strong", {}, name), " is typing…"]);
    if (name) this.typingTimer = setTimeout(() => this.showTyping(""), TYPING_MS);
  }

  leave(reason) {
    if (this.channelId !== this.start.channel) {
      this.moveTo({ channel: this.start.channel });
      return;
    }
    this.showStatus(reason);
  }
}

try {
  const page = new Page(await read("start"));
  page.settle();
} catch (error) {
  find("status").hidden = false;
  find("status").textContent = error.message;
}
