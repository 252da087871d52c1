// Where one can go and who one can be: the channels with their threads, and the users.

import { avatar, fill, h, icon } from "./dom.js";

const ICONS = { text: "hash", thread: "thread", direct: "at" };

/** Draw the channels; a channel's threads stand below it, living ones first. */
export function channelList(element, channels, here, go) {
  const entry = (channel) => h("li", { class: channel.kind },
    h("button", {
      type: "button", class: channel.archived ? "channel archived" : "channel", "aria-current": channel.id === here ? "page" : null,
      on: { click: () => go(channel.id) },
    }, icon(ICONS[channel.kind]), h("span", {}, channel.name), channel.archived && h("small", {}, "archived")));
  const texts = channels.filter(({ kind }) => kind === "text");
  const direct = channels.filter(({ kind }) => kind === "direct");
  fill(element,
    h("h2", {}, "Text channels"),
    h("ul", {}, texts.map((channel) => [entry(channel), threadsOf(channels, channel.id).map(entry)])),
    h("h2", {}, "Direct messages"),
    h("ul", {}, direct.map(entry)),
  );
}

/** The threads of a channel, living ones first. */
export function threadsOf(channels, parent) {
  const threads = channels.filter((channel) => channel.parent === parent);
  return threads.sort((one, other) => Number(one.archived) - Number(other.archived));
}

/** Draw the switch between users. */
export function userSwitch(element, users, current, become) {
  element.querySelectorAll("label").forEach((label) => label.remove());
  for (const user of users) {
    const input = h("input", { type: "radio", name: "user", value: user.name, on: { change: () => become(user.name) } });
    input.checked = user.name === current;
    element.append(h("label", {}, input, avatar({ id: user.id, name: user.shown, bot: false }), h("span", {}, user.shown)));
  }
}

/** The drawer that the sidebar becomes on a small screen, and the panel at the right. */
export class Drawers {
  constructor() {
    const find = (id) => document.getElementById(id);
    [this.menu, this.sidebar, this.shade, this.panel, this.title, this.body] =
      ["menu", "sidebar", "shade", "panel", "panel-title", "panel-body"].map(find);
    this.opener = null;
    this.menu.addEventListener("click", () => this.showSidebar(!this.sidebar.classList.contains("open")));
    this.shade.addEventListener("click", () => this.showSidebar(false));
    find("panel-close").addEventListener("click", () => this.closePanel());
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.defaultPrevented) return;
      this.showSidebar(false);
      this.closePanel();
    });
  }

  showSidebar(open) {
    this.sidebar.classList.toggle("open", open);
    this.shade.hidden = !open;
    this.menu.setAttribute("aria-expanded", String(open));
  }

  /** Open the panel from a button, or close it if that button has opened it. */
  toggle(button, title, draw) {
    const again = this.opener === button;
    this.closePanel();
    if (again) return;
    this.opener = button;
    this.draw = draw;
    button.setAttribute("aria-expanded", "true");
    this.title.textContent = title;
    this.panel.hidden = false;
    this.refresh();
    document.getElementById("panel-close").focus();
  }

  refresh() {
    if (this.opener) fill(this.body, this.draw());
  }

  closePanel() {
    if (!this.opener) return;
    this.panel.hidden = true;
    this.opener.setAttribute("aria-expanded", "false");
    this.opener.focus();
    this.opener = null;
  }
}
