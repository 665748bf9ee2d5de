// The form that asks for a token or a password, once the server has refused a request with 401.
import { html, nothing } from "./vendor/lit-html.js";
import { LOGIN_WANTED, send } from "./api.js";

export class LoginForm {
  #wanted = false;
  #error = "";

  constructor(app) {
    this.app = app;
    addEventListener(LOGIN_WANTED, ({ detail }) => this.#show(detail));
  }

  #show(words) {
    this.#error ||= words ?? "";
    if (this.#wanted && !words) return;
    this.#wanted = true;
    this.app.redraw();
  }

  render() {
    if (!this.#wanted) return nothing;
    return html`<dialog class="login" open aria-label="Log in">
      <form @submit=${(event) => this.#submit(event)}>
        <label for="login-token">This server asks for a token or a password</label>
        <input id="login-token" name="token" type="password" autocomplete="current-password"
          required autofocus />
        <label for="login-user">User name, for a password that is not opencode's default</label>
        <input id="login-user" name="user" autocomplete="username" placeholder="opencode" />
        ${this.#error ? html`<p class="error" role="alert">${this.#error}</p>` : nothing}
        <button class="primary">Log in</button>
      </form>
    </dialog>`;
  }

  /** What was typed is a token or a password: the server tells. */
  async #submit(event) {
    event.preventDefault();
    const form = new FormData(event.target);
    const token = form.get("token").trim();
    try {
      await send("POST", "/weir/login", {}, { token, user: form.get("user").trim() || "opencode" });
      location.reload();
    } catch (error) {
      this.#error = error.message;
      this.app.redraw();
    }
  }
}
