// The page holds this script itself: it loads the page again after a file could not be loaded.
// A browser asks only once for the file of a module, and the page would stay empty.
(() => {
  const KEY = "weir-console-failures";
  const PAUSE_MS = 500;
  const LONGEST_PAUSE_MS = 60_000;
  let failures = 0;

  addEventListener("error", (event) => event.target !== window && !failures && failed(), true);
  addEventListener("load", () => failures || sessionStorage.removeItem(KEY));

  function failed() {
    failures = 1 + Number(sessionStorage.getItem(KEY));
    sessionStorage.setItem(KEY, failures);
    setTimeout(again, Math.min(PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS));
  }

  /** Leave the page only once the server answers: the browser's page of errors stays for ever. */
  async function again() {
    try {
      const answer = await fetch(location.href, { cache: "no-store" });
      if (answer.ok) return location.reload();
    } catch {
      // The server is asked again.
    }
    setTimeout(again, PAUSE_MS);
  }
})();
