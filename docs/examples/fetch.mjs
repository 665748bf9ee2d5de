// Answers one prompt from JavaScript: node fetch.mjs http://127.0.0.1:4097 NAME
// Browsers run the same code. Work comes on one stream; lines go out in requests of their own.
const [weir, name] = process.argv.slice(2)
const agent = `${weir}/weir/agents/${name}`
let epoch, seq = 0

/** Send lines, again if no answer comes: the number of the first tells weir what it knows. */
async function send(...lines) {
  const body = lines.map((line) => JSON.stringify(line) + "\n").join("")
  for (let pause = 100; ; pause = Math.min(2 * pause, 2000)) {
    const answer = await fetch(`${agent}?epoch=${epoch}&seq=${seq + 1}`, { method: "POST", body }).catch(() => null)
    if (answer?.ok) {
      const said = (await answer.text()).trim().split("\n").map((line) => JSON.parse(line))
      for (const one of said) if (one.type === "error") console.error(one.message)
      seq += lines.length
      return
    }
    if (answer && ![429, 503, 504, 507].includes(answer.status)) throw new Error(await answer.text())
    await new Promise((resolve) => setTimeout(resolve, pause))
  }
}

/** Yield the work of the agent, as it comes. */
async function* work() {
  const stream = await fetch(`${agent}?prompts=true`)
  let text = ""
  for await (const bytes of stream.body.pipeThrough(new TextDecoderStream())) {
    text += bytes
    const lines = text.split("\n")
    text = lines.pop()
    yield* lines.map((line) => JSON.parse(line))
  }
}

for await (const one of work()) {
  if (one.type === "ready") ({ epoch, seq } = one)
  if (one.type !== "prompt") continue
  const turn = one.turn
  await send({ type: "reasoning", turn, text: "This is easy." })
  await send({ type: "text", turn, text: ["You said: ", one.text] }, { type: "end", turn })
  process.exit(0)
}
