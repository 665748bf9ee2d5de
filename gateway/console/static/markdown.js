// Markdown as elements, written as it comes: no text is ever parsed as HTML.
//
// The parser calls a renderer that knows an allow-list of elements and attributes, so markup in a
// message is text, and a link leads to http, https or mail alone. A text that grows is parsed once;
// its elements are only added to. A long text is shown in pages, so that neither the page's memory
// nor a single task grows with it. Where the last page is followed, the page before stays above it
// until the next one: what a person reads does not go away.
import * as smd from "./vendor/streaming-markdown.js";

const PAGE_CHARACTERS = 32 * 1024;
const PIECE = 512;
// Of one drawing: what is added has to be laid out too.
const MOST_AT_ONCE = 8 * 1024;
const BUDGET_MS = 8;
const MOST_PENDING = 4096;
const MOST_DEPTH = 16;
const MOST_ELEMENTS = 4000;
const MOST_IN_PARAGRAPH = 3000;
const SAFE_LINK = /^(https?:|mailto:)/i;

const TAGS = {
  [smd.PARAGRAPH]: "p",
  [smd.HEADING_1]: "h3",
  [smd.HEADING_2]: "h4",
  [smd.HEADING_3]: "h5",
  [smd.HEADING_4]: "h6",
  [smd.HEADING_5]: "h6",
  [smd.HEADING_6]: "h6",
  [smd.CODE_BLOCK]: "pre",
  [smd.CODE_FENCE]: "pre",
  [smd.CODE_INLINE]: "code",
  [smd.ITALIC_AST]: "em",
  [smd.ITALIC_UND]: "em",
  [smd.STRONG_AST]: "strong",
  [smd.STRONG_UND]: "strong",
  [smd.STRIKE]: "s",
  [smd.LINK]: "a",
  [smd.RAW_URL]: "a",
  [smd.IMAGE]: "span",
  [smd.BLOCKQUOTE]: "blockquote",
  [smd.LINE_BREAK]: "br",
  [smd.RULE]: "hr",
  [smd.LIST_UNORDERED]: "ul",
  [smd.LIST_ORDERED]: "ol",
  [smd.LIST_ITEM]: "li",
  [smd.CHECKBOX]: "input",
  [smd.TABLE]: "table",
  [smd.TABLE_ROW]: "tr",
  [smd.TABLE_CELL]: "td",
};

/** Builds elements under a root. */
class Renderer {
  constructor(root) {
    this.data = this;
    this.stack = [root];
    this.elements = 0;
  }

  add_token(_, token) {
    this.elements += 1;
    const element = document.createElement(TAGS[token] ?? "span");
    if (token === smd.CHECKBOX) Object.assign(element, { type: "checkbox", disabled: true });
    if (token === smd.TABLE) element.className = "prose-table";
    const parent = this.stack.at(-1);
    // Elements that are nested without end would end the browser's own layout.
    if (this.stack.length < MOST_DEPTH) parent.append(element);
    this.stack.push(this.stack.length < MOST_DEPTH ? element : parent);
  }

  end_token() {
    if (this.stack.length > 1) this.stack.pop();
  }

  add_text(_, text) {
    let last = this.stack.at(-1);
    // A paragraph is laid out anew with each addition: a very long one goes on in another.
    if (last.tagName === "P" && last.textContent.length > MOST_IN_PARAGRAPH) {
      const next = document.createElement("p");
      next.className = "continued";
      last.after(next);
      this.stack[this.stack.length - 1] = last = next;
    }
    last.append(text);
  }

  set_attr(_, kind, value) {
    const element = this.stack.at(-1);
    if (kind === smd.HREF && element.tagName === "A" && SAFE_LINK.test(value.trim())) {
      Object.assign(element, { href: value.trim(), target: "_blank", rel: "noopener noreferrer" });
    } else if (kind === smd.SRC) {
      // An image would be loaded from another server: its address is shown instead.
      element.className = "picture";
      element.title = value;
    } else if (kind === smd.START && element.tagName === "OL") {
      element.start = Number(value) || 1;
    } else if (kind === smd.CHECKED) {
      element.checked = true;
    }
  }
}

/** A text as Markdown, in a `div` that is to be put into the page. */
export class Markdown {
  element = document.createElement("div");
  /** The number of the page that is shown, the first being 0; null: the last one, as it grows. */
  page = 0;
  #text = "";
  #begin = 0;
  #written = 0;
  #ofPageBefore = 0;
  #room = 0;

  constructor() {
    this.element.className = "prose";
    this.#restart(0);
  }

  /** How many pages there are. */
  get pages() {
    return Math.max(1, Math.ceil(this.#text.length / PAGE_CHARACTERS));
  }

  get shownPage() {
    return Math.min(this.page ?? this.pages - 1, this.pages - 1);
  }

  /** Go to a page; null: to the last one, and follow it. */
  goTo(page) {
    this.page = page;
    this.#begin = -1;
  }

  /** Show a text, or more of it; returns whether all that belongs on this page is shown. */
  show(text, whole) {
    const goesOn = text.startsWith(this.#text) && (!this.ended || text.length === this.#text.length);
    if (!goesOn) this.#begin = -1;
    this.#text = text;
    const begin = edge(text, this.shownPage * PAGE_CHARACTERS);
    if (begin > this.#begin && this.#begin >= 0 && this.page === null) this.#turn(begin);
    else if (begin !== this.#begin) this.#restart(begin);
    return this.#write(edge(text, begin + PAGE_CHARACTERS), whole);
  }

  #restart(begin) {
    this.element.replaceChildren();
    this.element.style.paddingTop = "";
    this.#ofPageBefore = this.#room = 0;
    this.#start(begin);
  }

  /** Go on to a later page below the page that is shown. */
  #turn(begin) {
    if (begin - this.#written <= MOST_AT_ONCE) this.#write(begin, false);
    this.held?.remove();
    this.#end();
    if (this.#written < begin) this.element.append(gap());
    this.#forgetPageBefore();
    this.#ofPageBefore = this.element.childNodes.length;
    this.#start(begin);
  }

  /** Remove what is far above; its room stays, so that nothing below moves. */
  #forgetPageBefore() {
    const height = this.element.offsetHeight;
    for (const node of [...this.element.childNodes].slice(0, this.#ofPageBefore)) node.remove();
    this.#room += height - this.element.offsetHeight;
    this.element.style.paddingTop = `${this.#room}px`;
  }

  #start(begin) {
    this.renderer = new Renderer(this.element);
    this.parser = smd.parser(this.renderer);
    this.plain = false;
    this.ended = false;
    this.#begin = this.#written = begin;
  }

  /** Show what the parser holds back, since it may mean something, as the text that it is so far. */
  #showHeld() {
    this.held = this.plain || this.ended ? null : new Text(this.parser.pending);
    if (this.held) this.renderer.stack.at(-1).append(this.held);
  }

  #write(end, whole) {
    this.held?.remove();
    const until = performance.now() + BUDGET_MS;
    const most = Math.min(end, edge(this.#text, this.#written + MOST_AT_ONCE));
    while (this.#written < most && performance.now() < until) {
      const next = Math.min(most, edge(this.#text, this.#written + PIECE));
      this.#piece(this.#text.slice(this.#written, next));
      this.#written = next;
    }
    const done = this.#written >= end;
    if (done && whole && !this.ended) this.#end();
    this.#showHeld();
    return done;
  }

  #piece(text) {
    if (this.plain) return this.renderer.add_text(null, text);
    try {
      smd.parser_write(this.parser, text);
      // The parser looks for the end of such a text again with every character.
      const { length } = this.parser.pending;
      if (length > MOST_PENDING || this.renderer.elements > MOST_ELEMENTS) this.#goPlain("");
    } catch {
      this.#goPlain(text);
    }
  }

  #goPlain(text) {
    const { text: held, pending } = this.parser;
    this.plain = true;
    const rest = document.createElement("p");
    this.element.append(rest);
    this.renderer.stack = [rest];
    this.renderer.add_text(null, held + pending + text);
    this.parser.pending = "";
  }

  #end() {
    this.ended = true;
    if (this.plain) return;
    try {
      smd.parser_end(this.parser);
    } catch {
      this.#goPlain("");
    }
  }
}

/** Return a mark where a part of a text is left out. */
function gap() {
  const mark = document.createElement("p");
  mark.className = "note";
  mark.textContent = "… the text before this came faster than it can be shown …";
  return mark;
}

/** Return a place near `at` that does not cut a character in two; at most the text's end. */
function edge(text, at) {
  if (at >= text.length) return text.length;
  const isLowSurrogate = (text.charCodeAt(at) & 0xfc00) === 0xdc00;
  return isLowSurrogate && at > 0 ? at - 1 : at;
}
