// Who reads this page: what the server lets this browser see and do.
import { LOGIN_WANTED, Failed, get, persist, send } from "./api.js";

const LINK = "#token=";

/** The views of a reader whose grants are folders or sessions: the others are about the server. */
const VIEWS_OF_A_SCOPE = ["tail", "sessions"];

export class Me {
  name = "";
  action = "";
  scope = null;

  /**
   * Ask the server; a token in the address of the page is exchanged for a cookie first.
   * Returns whether the page may go on: it may not if the server wants a login.
   * `failed(error)` is called as long as the server does not answer.
   */
  async find(failed) {
    const token = tokenOfLink();
    try {
      Object.assign(this, await persist(() => ask(token), failed));
    } catch (error) {
      return error.status !== 401;
    }
    return true;
  }

  get mayWrite() {
    return this.action !== "read";
  }

  /** Whether a view has anything that this reader may see. */
  maySee(view) {
    return !this.scope || VIEWS_OF_A_SCOPE.includes(view);
  }

  /** The granted folders that can be asked for by name. */
  get folders() {
    return (this.scope?.directories ?? [])
      .map((glob) => glob.replace(/\/\*\*$/, "") || "/")
      .filter((folder) => !folder.includes("*"));
  }

  get sessions() {
    return this.scope?.sessions ?? [];
  }
}

function tokenOfLink() {
  if (!location.hash.startsWith(LINK)) return "";
  const token = decodeURIComponent(location.hash.slice(LINK.length));
  history.replaceState(null, "", location.pathname + location.search);
  return token;
}

async function ask(token) {
  const me = await present(token);
  // A link does not take the place of a login that sees everything.
  return token && (!me || me.scope) ? logIn(token) : me;
}

async function present(token) {
  try {
    return await get("/weir/login", {}, { quiet: Boolean(token) });
  } catch (error) {
    if (error.status === 401 && token) return null;
    throw error;
  }
}

async function logIn(token) {
  try {
    return await send("POST", "/weir/login", {}, { token });
  } catch (error) {
    if (error.status !== 401) throw error;
    const words = "This link is not valid any more.";
    dispatchEvent(new CustomEvent(LOGIN_WANTED, { detail: words }));
    throw new Failed(words, 401);
  }
}
