"""The pictures of docs/console.md: ``make screenshots``.

weir runs as the server itself, with the demo model and an agent that publishes a turn with tools,
a list of things to do and requests to a person. Each view is taken at two widths, in both themes.
"""

import base64
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import weir
from tests.blackbox.weir_up import Up, prompt, weir_up
from tests.chromium import chromium, visit
from tests.processes import ROOT
from tests.sse_client import SseClient

VIEWS = ("overview", "readers", "sources", "tail", "sessions")
FOLDER = ROOT / "docs" / "console"
WIDTHS = {1600: 1000, 390: 844}
THEMES = ("light", "dark")
PANEL_BESIDE = 1281
"""From this width on, the panel of requests covers no text."""
SETTLE_MS = 1500
HISTORY_S = 45
QUALITY = 0.85

THOUGHT = "The client retries. Let me look at where it waits, and for what."
ANSWER = """The tests fail because `retry` swallows the reset. Three changes:

1. `retry` waits **after** a failure, not before it
2. a reset is an error of its own
3. the counter starts again once bytes have come

```python
for attempt in count(1):
    try:
        return send(request)
    except ConnectionResetError:
        sleep(min(2**attempt, 30))
```

| case | before | after |
|---|---|---|
| reset at once | gives up | comes again |
| reset in mid text | doubles text | goes on |
"""
DIFF = """@@ -12,7 +12,7 @@ def retry(request):
     for attempt in count(1):
-        sleep(2**attempt)
         try:
             return send(request)
+        except ConnectionResetError:
+            sleep(min(2**attempt, 30))
"""
_AS_WEBP = """async ([data, quality]) => {
  const answer = await fetch("data:image/png;base64," + data);
  const bitmap = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality });
  const bytes = new Uint8Array(await blob.arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""
QUESTION = "Which branch shall it go to? `main` is **protected**, so a request is opened there."


def main() -> None:
    """Take all pictures anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-shots-"))
        browser = stack.enter_context(chromium())
        up = stack.enter_context(weir_up(Path(folder), "--workers", "2"))
        session = stack.enter_context(_life(up))
        views = {name: name for name in VIEWS} | {"sessions": f"sessions/{session}"}
        for theme in THEMES:
            for width, height in WIDTHS.items():
                _take_all(browser, up, views, theme, width, height)
    total = sum(picture.stat().st_size for picture in FOLDER.iterdir())
    print(f"{len(list(FOLDER.iterdir()))} pictures, {total / 1e6:.2f} MB")


def _take_all(
    browser: Any, up: Up, views: dict[str, str], theme: str, width: int, height: int
) -> None:
    window = {"viewport": {"width": width, "height": height}, "color_scheme": theme}
    with visit(browser, up.url, **window) as person:
        tab = person.open()
        for name, path in views.items():
            tab.goto(f"{up.url}/weir/console/{path}")
            tab.wait_for_selector(".connection.on", state="attached")
            tab.wait_for_selector(".asks")
            if name != "sessions" or width < PANEL_BESIDE:
                tab.click(".asks header button")
            if name == "tail":
                up.prompt(up.session("/srv/shop"), "how is the weather at sea?")
            tab.wait_for_timeout(SETTLE_MS)
            _save(tab, FOLDER / f"{name}-{width}-{theme}.webp")


def _save(tab: Any, path: Path) -> None:
    """Save what the tab shows as WebP, by the browser's own encoder."""
    taken = base64.b64encode(tab.screenshot()).decode()
    blank = tab.context.new_page()
    encoded = blank.evaluate(_AS_WEBP, [taken, QUALITY])
    blank.close()
    path.write_bytes(base64.b64decode(encoded))


@contextmanager
def _life(up: Up) -> Iterator[str]:
    """Have something go on; yields the session that an agent works in."""
    for directory, title, words in (
        ("/srv/shop", "Greeting of the day", "hello"),
        ("/srv/shop", "A storm", "storm 30000 40"),
        (
            "/srv/a-folder/with/a/very/long/name/that/goes/on/and/on",
            "Notes on " + "long" * 12,
            "hi",
        ),
    ):
        up.prompt(up.session(directory, title=title), words)
    readers = [
        SseClient(f"{up.url}/event?directory=/srv/shop", {"User-Agent": "opencode/1.18.34"}),
        SseClient(f"{up.url}/global/event", {"User-Agent": "sleepy-tab/1.0"}),
        SseClient(f"{up.url}/global/event", {"User-Agent": "stuck-bot/2"}, receive_buffer=4096),
    ]
    SseClient(f"{up.url}/global/event", {"User-Agent": "curl/8.5.0"}).close()
    working = up.session("/srv/shop", title="Fix the retries of the shop's client")
    steady = up.session("/srv/load", title="Steady work")
    up.call("POST", f"/session/{steady}/prompt_async", prompt("rate 60 30000"))
    work = threading.Thread(target=_work, args=(up.url, working))
    work.start()
    time.sleep(HISTORY_S)
    yield working
    for reader in readers:
        reader.close()
    up.call("POST", f"/session/{working}/abort")
    work.join()


def _ask_leave(turn: weir.Turn) -> None:
    with suppress(weir.Aborted):
        turn.ask("bash", command="git push")


def _work(url: str, session: str) -> None:
    """Publish a turn that waits for a person in the end."""
    with suppress(weir.Aborted), ExitStack() as stack:
        agent = stack.enter_context(weir.connect(url, name="screenshots"))
        turn = stack.enter_context(
            agent.session(session).turn("Why do the tests of the client fail?")
        )
        for word in THOUGHT.split():
            turn.reasoning(f"{word} ")
            time.sleep(0.1)
        turn.todo([("find the cause", "done"), ("fix it", "done"), ("run the tests", "doing")])
        with turn.tool("bash", command="pytest tests/client -q") as call:
            time.sleep(2)
            call.output("2 failed, 41 passed in 3.1s\n")
        with turn.tool("edit", title="client/retry.py", filePath="client/retry.py") as call:
            call.show(diff=DIFF)
            call.output("The file was changed.\n")
        for word in ANSWER.split(" "):
            turn.text(word + " ")
            time.sleep(0.1)
        turn.usage(input=18_240, output=412, reasoning=96, cost=0.0213)
        threading.Thread(target=_ask_leave, args=(turn,)).start()
        with turn.tool("question", title="Branch"):
            turn.question(QUESTION, ("main", "a new branch"), header="Branch")


if __name__ == "__main__":
    main()
