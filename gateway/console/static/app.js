// The frame of the page: navigation, the views, one event stream for all, ten redraws a second.
import { html, nothing, render } from "./vendor/lit-html.js";
import { Asks } from "./asks.js";
import { Live } from "./live.js";
import { LoginForm } from "./login.js";
import { Me } from "./me.js";
import { address, placeOf } from "./places.js";
import { Stream } from "./stream.js";
import { Overview } from "./views/overview.js";
import { Readers } from "./views/readers.js";
import { Sources } from "./views/sources.js";
import { Tail } from "./views/tail.js";
import { Sessions } from "./views/sessions.js";
import { icon } from "./icons.js";

const REDRAW_MS = 100;
const LONGEST_FRAME_MS = 1000;
const NO_VIEW = { render: () => nothing };
const VIEWS = [
  ["overview", "Overview", Overview],
  ["readers", "Readers", Readers],
  ["sources", "Sources", Sources],
  ["tail", "Live tail", Tail],
  ["sessions", "Sessions", Sessions],
];

class App {
  live = new Live();
  me = new Me();
  view = NO_VIEW;
  #drawnAt = 0;
  #timer = 0;

  constructor(root) {
    this.root = root;
    this.stream = new Stream({
      frames: (frames) => this.#frames(frames),
      join: () => this.live.share(),
      joined: (state) => {
        this.live.take(state);
        this.views.sessions.joined();
      },
      changed: () => this.redraw(),
    });
    this.views = Object.fromEntries(VIEWS.map(([name, , View]) => [name, new View(this)]));
    this.asks = new Asks(this);
    this.login = new LoginForm(this);
    addEventListener("popstate", () => this.#arrive());
    addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("click", (event) => this.#click(event));
    document.addEventListener("visibilitychange", () => this.redraw());
  }

  async start() {
    this.redraw();
    const failed = ({ message }) => this.#wait(message);
    if (!(await this.me.find(failed))) return; // the form for the login loads the page again
    this.#arrive();
    this.stream.start();
    this.asks.start();
  }

  #wait(words) {
    this.view = { render: () => html`<p class="notice bad" role="alert">${words}</p>` };
    this.redraw();
  }

  /** Draw soon: at most ten times a second, and not while the tab is hidden. */
  redraw() {
    if (this.#timer || document.hidden) return;
    const wait = Math.max(0, this.#drawnAt + REDRAW_MS - performance.now());
    this.#timer = setTimeout(() => atNextFrame(() => this.#draw()), wait);
  }

  /** Show a view, and one session of it. */
  go(view, id = "", replace = false) {
    const url = address(view, id);
    if (url !== location.href) history[replace ? "replaceState" : "pushState"](null, "", url);
    this.#arrive();
  }

  #arrive() {
    const { view, id } = placeOf();
    const next = this.views[this.me.maySee(view) && this.views[view] ? view : this.#home];
    if (this.view !== next) this.view?.leave?.();
    const changed = this.view !== next;
    this.view = next;
    if (changed) scrollTo(0, 0);
    next.enter(id);
    this.redraw();
  }

  get #home() {
    return this.me.maySee("overview") ? "overview" : "sessions";
  }

  #frames(frames) {
    for (const { id, data } of frames) {
      const frame = parsed(data);
      if (typeof frame?.payload?.type !== "string") continue;
      try {
        this.#take(id, data, frame.directory ?? "", frame.payload);
      } catch (error) {
        reportError(error); // an event that is not as it should be costs no other
      }
    }
    this.redraw();
  }

  #take(id, data, directory, event) {
    this.views.tail.take(id, data, directory, event);
    if (event.type === "sync") return;
    this.live.apply(directory, event);
    this.views.sessions.apply(event, directory);
  }

  #draw() {
    this.#timer = 0;
    this.#drawnAt = performance.now();
    render(this.#template(), this.root);
    this.view.drawn?.();
  }

  #template() {
    return html`
      <a class="skip" href="#main" @click=${skip}>Skip to the content</a>
      <header class="side">
        <a class="brand" href=${address(this.#home)}>${icon("weir")}<span>weir</span></a>
        <nav aria-label="Views">
          ${this.#views().map(([name, label], index) => this.#link(name, label, index + 1))}
        </nav>
        ${this.#connection()}
      </header>
      <main id="main" tabindex="-1">${this.view.render()}</main>
      ${this.asks.render()} ${this.login.render()}
    `;
  }

  #views() {
    return VIEWS.filter(([name]) => this.me.maySee(name));
  }

  #link(name, label, key) {
    const here = this.view === this.views[name];
    return html`<a
      href=${address(name)}
      aria-current=${here ? "page" : nothing}
      title="${label} (key ${key})"
      >${icon(name)}<span>${label}</span></a
    >`;
  }

  #connection() {
    const { connected, error, leads } = this.stream;
    const words = connected ? "Live" : error ? "Reconnecting" : "Connecting";
    const more = connected
      ? leads
        ? "This tab holds the event stream for all tabs of this browser."
        : "Another tab holds the event stream, this tab shares it."
      : error;
    return html`<p class="connection ${connected ? "on" : "off"}" role="status" title=${more}>
      <i></i><span>${words}</span>
    </p>`;
  }

  #click(event) {
    const link = event.target.closest?.("a[href]");
    const plain = !event.defaultPrevented && event.button === 0 && !link?.target;
    if (!link || !plain || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const here = new URL(".", document.baseURI).href;
    if (!link.href.startsWith(here) || link.hash || link.download) return;
    event.preventDefault();
    if (link.href !== location.href) history.pushState(null, "", link.href);
    this.#arrive();
  }

  #key(event) {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing) return;
    const view = this.#views()[Number(event.key) - 1];
    if (view) this.go(view[0]);
    else if (event.key === "/") this.#focus(event, "[data-search]");
    else if (event.key === "p" && this.view.togglePause) this.view.togglePause();
    else if (event.key === "i") this.#focus(event, "[data-prompt]");
    else if (event.key === "a") this.#focus(event, ".asked :is(button, input)", ".asks button");
  }

  /** Put the keyboard where the first of these selectors that is in the page leads. */
  #focus(event, ...selectors) {
    const field = selectors.map((one) => document.querySelector(one)).find(Boolean);
    if (!field) return;
    event.preventDefault();
    field.focus();
  }
}

/** Act before the browser paints, and also if it paints nothing. */
function atNextFrame(act) {
  const timer = setTimeout(() => {
    cancelAnimationFrame(frame);
    act();
  }, LONGEST_FRAME_MS);
  const frame = requestAnimationFrame(() => {
    clearTimeout(timer);
    act();
  });
}

/** The address of the link would be below the page's base: the link leads nowhere by itself. */
function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null;
  }
}

const root = document.getElementById("app");
root.replaceChildren();
new App(root).start();
