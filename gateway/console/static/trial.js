// The first run: a prompt to try, and a storm that nothing notices.
import { html, nothing } from "./vendor/lit-html.js";
import { get, persist, send } from "./api.js";
import { count, duration } from "./format.js";
import { icon } from "./icons.js";
import { address, sessionRoute } from "./places.js";
import { healthMs } from "./stream.js";

const STORM = { deltas: 30_000, characters: 40 };
const PROBE_MS = 100;
const LONGEST_MS = 60_000;

export class Trial {
  constructor(app) {
    this.app = app;
    this.demo = null;
    this.text = "";
    this.error = "";
    this.storm = null;
  }

  /** See which model answers: only the demo model makes storms. */
  async enter() {
    try {
      const isShown = () => this.app.view.trial === this;
      const { providers } = await persist(() => get("/config/providers"), isShown);
      this.demo = providers.some((provider) => provider.id === "demo");
    } catch {
      this.demo = false;
    }
    this.app.redraw();
  }

  render() {
    return html`
      <section class="trial panel">
        <form class="ask" @submit=${(event) => this.#prompt(event)}>
          <label for="try">Try it: type a prompt, and see the answer stream</label>
          <div class="row">
            <input id="try" data-prompt name="text" autocomplete="off" placeholder="Say hello" />
            <button class="primary">${icon("send")}<span>Send</span></button>
            ${this.demo ? this.#stormButton() : nothing}
          </div>
        </form>
        ${this.error ? html`<p class="notice bad" role="alert">${this.error}</p>` : nothing}
        ${this.storm ? this.#result(this.storm) : nothing}
      </section>
    `;
  }

  #stormButton() {
    const running = this.storm && !this.storm.tookMs;
    return html`<button
      type="button"
      ?disabled=${running}
      title="${count(STORM.deltas)} deltas of ${STORM.characters} characters, as fast as they go"
      @click=${() => this.#makeStorm()}
    >
      ${running ? "Storm…" : "Make a storm"}
    </button>`;
  }

  #result({ probes, tookMs, session, arrived }) {
    const worst = Math.max(0, ...probes);
    return html`<p class="storm" role="status">
      <b>${count(STORM.deltas)} deltas</b>
      ${tookMs ? html`were through after <b>${duration(tookMs / 1000)}</b>` : "are on their way"};
      this page got them in <b>${count(arrived)}</b> frames. Meanwhile the server answered its health
      ${probes.length} times, at worst after <b>${Math.round(worst)} ms</b>.
      <a href=${address("sessions", session)}>See the text</a>
    </p>`;
  }

  async #prompt(event) {
    event.preventDefault();
    const form = event.target;
    const text = form.text.value.trim();
    if (!text) return form.text.focus();
    await this.#guarded(async () => {
      const session = await this.#begin(text.slice(0, 60), text);
      form.reset();
      this.app.go("sessions", session);
    });
  }

  async #makeStorm() {
    const storm = { probes: [], tookMs: 0, arrived: 0, session: "" };
    await this.#guarded(async () => {
      const began = performance.now();
      const words = `storm ${STORM.deltas} ${STORM.characters}`;
      const over = new Promise((done) => (this.watch = { storm, done }));
      storm.session = await this.#begin("A storm", words);
      this.storm = storm;
      this.app.views.sessions.watching = (type, session) => this.#see(type, session);
      const probing = this.#probe(storm);
      await Promise.race([over, new Promise((done) => setTimeout(done, LONGEST_MS))]);
      storm.tookMs = performance.now() - began;
      await probing;
    });
    this.app.views.sessions.watching = null;
    this.app.redraw();
  }

  #see(type, session) {
    const { storm, done } = this.watch;
    if (session !== storm.session) return;
    storm.arrived += type === "message.part.delta" ? 1 : 0;
    if (type === "session.idle") done();
  }

  async #probe(storm) {
    while (!storm.tookMs) {
      storm.probes.push(await healthMs());
      this.app.redraw();
      await new Promise((done) => setTimeout(done, PROBE_MS));
    }
  }

  async #begin(title, text) {
    const session = await send("POST", "/session", {}, { title });
    const parts = [{ type: "text", text }];
    await send("POST", sessionRoute(session.id, "/prompt_async"), {}, { parts });
    return session.id;
  }

  async #guarded(act) {
    this.error = "";
    try {
      await act();
    } catch (error) {
      this.error = error.message;
    }
    this.app.redraw();
  }
}
