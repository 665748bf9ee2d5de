// Follows the streams of a server that cuts them, until each was told of two events; says "told"
// at each.
//
//   node --experimental-eventsource retry.mjs BASE_URL sdk|eventsource

const [baseUrl, client] = process.argv.slice(2)

async function* sdk() {
  const { createOpencodeClient } = await import("@opencode-ai/sdk/v2")
  const { stream } = await createOpencodeClient({ baseUrl }).event.subscribe({})
  yield* stream
}

async function* eventsource() {
  const source = new EventSource(`${baseUrl}/event`)
  const told = []
  let wake = () => {}
  source.onmessage = ({ data }) => (told.push(data), wake())
  while (true) {
    while (told.length) yield told.shift()
    await new Promise((resolve) => (wake = resolve))
  }
}

// An EventSource that waits to come back does not keep the process alive.
setTimeout(() => process.exit(1), 120_000)

let count = 0
for await (const _ of client === "sdk" ? sdk() : eventsource()) {
  console.log("told")
  if (++count === 2) process.exit(0)
}
process.exit(1)
