// Asks a route again and again while a view is shown and its tab is visible.
export class Poll {
  error = "";
  #timer = 0;
  #running = false;

  /**
   * @param ask fetches; @param everyMs between an answer and the next request.
   * @param then called after each answer or failure.
   */
  constructor(ask, everyMs, then) {
    Object.assign(this, { ask, everyMs, then });
  }

  start() {
    this.#running = true;
    this.now();
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  async now() {
    clearTimeout(this.#timer);
    if (!document.hidden) {
      try {
        await this.ask();
        this.error = "";
      } catch (error) {
        this.error = error.message;
      }
      if (this.#running) this.then();
    }
    clearTimeout(this.#timer);
    if (this.#running) this.#timer = setTimeout(() => this.now(), this.everyMs);
  }
}
