// Where things are: weir may be mounted under any path, and the page's base leads to its own root.
export const CONSOLE = new URL(".", document.baseURI);
const SERVER = new URL("../../", CONSOLE);

/** Return the address of one of the server's routes, such as `/weir/status`. */
export function route(path, query = {}) {
  const url = new URL(path.replace(/^\//, ""), SERVER);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** Return the view that an address shows, and the session in it. */
export function placeOf(href = location.href) {
  const path = new URL(href).pathname;
  const below = path.startsWith(CONSOLE.pathname) ? path.slice(CONSOLE.pathname.length) : "";
  const [view, id] = below.split("/");
  return { view: view || "overview", id: id ? decodeURIComponent(id) : "" };
}

/** Return the address of a view. */
export function address(view, id = "") {
  return new URL(id ? `${view}/${encodeURIComponent(id)}` : view, CONSOLE).href;
}

/** Return the route of a session, whatever characters its id has. */
export function sessionRoute(id, below = "") {
  return `/session/${encodeURIComponent(id)}${below}`;
}

/** A name that all tabs of this server share, and no tab of another server. */
export const SHARED_NAME = `weir-console ${SERVER.href}`;
