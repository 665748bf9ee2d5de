"""The timeline of a turn, of events at given times."""

TIMELINE = """async () => {
  const app = document.querySelector("script[type=module]").src;
  const from = (name) => import(app.replace("app.js", name));
  const [{ Transcript, turnsOf }, { timeline }, { render }] = await Promise.all(
    ["transcript.js", "timeline.js", "vendor/lit-html.js"].map(from));
  const began = 1_000_000, transcript = new Transcript({ id: "s" });
  const info = (id, role, created, completed) =>
    ({ id, role, time: { created, completed }, tokens: { output: 90 } });
  const time = (start, end) => ({ start: began + start, end: began + end });
  const answer = (part) => ["message.part.updated", { part: { messageID: "m2", ...part } }];
  const deltas = Array.from({ length: 21 }, (_, at) => [5000 + 100 * at,
    "message.part.delta", { messageID: "m2", partID: "p3", field: "text", delta: "x" }]);
  const events = [
    [0, "message.updated", { info: info("m1", "user", began) }],
    [500, "session.status", { status: { type: "retry", attempt: 1, message: "busy" } }],
    [900, "message.updated", { info: info("m2", "assistant", began + 900) }],
    [1000, ...answer({ id: "p1", type: "reasoning", text: "so", time: time(1000, 2000) })],
    [2000, ...answer({ id: "p2", type: "tool", tool: "bash", state: { time: time(2000, 5000) } })],
    [5000, ...answer({ id: "p3", type: "text", text: "", time: time(5000, 10000) })],
    ...deltas,
    [10000, "message.updated", { info: info("m2", "assistant", began + 900, began + 10000) }],
  ];
  for (const [ms, type, properties] of events) transcript.apply({ type, properties }, began + ms);
  const root = document.createElement("div");
  render(timeline(turnsOf(transcript.messages), transcript.watched), root);
  const tenths = (row, name) => Math.round(10 * row.getAttribute(name)) / 10;
  const rows = [...root.querySelectorAll("rect:not(.track)")];
  return {
    spans: rows.map((row) =>
      `${row.getAttribute("class")} ${tenths(row, "x")} ${tenths(row, "width")}`),
    took: root.querySelector("figcaption span").textContent,
    facts: root.querySelector(".facts").textContent,
  };
}"""


def test_a_turn_is_drawn_with_its_wait_thoughts_tools_text_and_retries(person):
    drawn = person.open("/weir/console/sources").evaluate(TIMELINE)
    assert drawn["took"] == "10 s"
    assert drawn["facts"] == "first word after 1 s · 10 tokens/s · 11 deltas/s here"
    # Of 240 units, ten seconds long.
    assert drawn["spans"] == [
        *("wait 0 24", "think 24 24", "run 48 72", "write 120 120", "fail 12 4.8")
    ]
