// One prompt through the unmodified opencode SDK: do the events tell what REST stores?
//
//   node prompt.mjs [--v1] BASE_URL TEXT [DIRECTORY]
//
// WEIR_TOKEN is sent, if it is set.
//
// Prints one JSON line, {"session", "text", "rest", "eventTypes", "equal"}, and exits with 0 when
// the text put together from events equals the stored one; else with 1 and a reason on stderr.

import { parseArgs } from "node:util"

const DEADLINE_MS = 120_000

const { values, positionals } = parseArgs({
  options: { v1: { type: "boolean", default: false } },
  allowPositionals: true,
})
const [baseUrl, prompt, directory] = positionals
if (!baseUrl || prompt === undefined) {
  finish("usage: node prompt.mjs [--v1] BASE_URL TEXT [DIRECTORY]")
}

const token = process.env.WEIR_TOKEN
const headers = token ? { Authorization: `Bearer ${token}` } : {}

/** The few calls of this script, in the words of one version of the client. */
async function connect() {
  if (values.v1) {
    const { createOpencodeClient } = await import("@opencode-ai/sdk")
    const client = createOpencodeClient({ baseUrl, directory, headers, throwOnError: true })
    return {
      create: () => client.session.create({ body: {} }),
      prompt: (id, parts) => client.session.promptAsync({ path: { id }, body: { parts } }),
      messages: (id) => client.session.messages({ path: { id } }),
      subscribe: (options) => client.event.subscribe(options),
    }
  }
  const { createOpencodeClient } = await import("@opencode-ai/sdk/v2")
  const client = createOpencodeClient({ baseUrl, directory, headers, throwOnError: true })
  return {
    create: () => client.session.create({}),
    prompt: (sessionID, parts) => client.session.promptAsync({ sessionID, parts }),
    messages: (sessionID) => client.session.messages({ sessionID }),
    subscribe: (options) => client.event.subscribe({}, options),
  }
}

/** What a client shows: roles of messages, and parts as snapshots replace and deltas append. */
class Screen {
  roles = new Map()
  parts = new Map()

  apply({ type, properties }) {
    if (type === "message.updated") this.roles.set(properties.info.id, properties.info.role)
    if (type === "message.removed") this.roles.delete(properties.messageID)
    if (type === "message.part.updated") this.parts.set(properties.part.id, { ...properties.part })
    if (type === "message.part.removed") this.parts.delete(properties.partID)
    if (type === "message.part.delta") {
      const part = this.parts.get(properties.partID)
      if (part) part[properties.field] = (part[properties.field] ?? "") + properties.delta
    }
  }

  text(sessionID) {
    const own = [...this.parts.values()].filter(
      (part) => part.sessionID === sessionID && this.roles.get(part.messageID) === "assistant",
    )
    return textOf(own)
  }
}

function textOf(parts) {
  return parts.filter((part) => part.type === "text").map((part) => part.text).join("")
}

function isIdle({ type, properties }, sessionID) {
  if (properties?.sessionID !== sessionID) return false
  if (type === "session.status") return properties.status.type === "idle"
  return type === "session.idle"
}

const eventTypes = {}
let lastError

/** Prompts as soon as the stream is open, then follows it to the end of the turn. */
async function follow(server, sessionID, screen) {
  let prompted = false
  const { stream } = await server.subscribe({ onSseError: (error) => (lastError = error) })
  for await (const event of stream) {
    eventTypes[event.type] = (eventTypes[event.type] ?? 0) + 1
    screen.apply(event)
    if (event.type === "server.connected" && !prompted) {
      prompted = true
      server.prompt(sessionID, [{ type: "text", text: prompt }]).catch(fail)
    }
    if (isIdle(event, sessionID)) return
  }
  throw new Error("the event stream ended before the session was idle")
}

async function main() {
  const server = await connect()
  const session = (await server.create()).data.id
  const screen = new Screen()
  await follow(server, session, screen)
  const stored = (await server.messages(session)).data
  const text = screen.text(session)
  const rest = textOf(stored.filter((m) => m.info.role === "assistant").flatMap((m) => m.parts))
  const equal = text === rest
  const line = JSON.stringify({ session, text, rest, eventTypes, equal }) + "\n"
  // Exit only once the line is out: the open stream would keep the process alive.
  const reason = equal ? undefined : "the text of the events is not the stored one"
  process.stdout.write(line, () => finish(reason))
}

function fail(error) {
  const cause = error?.cause?.message
  finish((error?.message ?? JSON.stringify(error)) + (cause ? `: ${cause}` : ""))
}

function finish(reason) {
  if (reason) console.error(`prompt.mjs: ${reason}`)
  process.exit(reason ? 1 : 0)
}

setTimeout(() => {
  const seen = `events: ${JSON.stringify(eventTypes)}; last stream error: ${lastError?.message}`
  finish(`no idle session within ${DEADLINE_MS} ms; ${seen}`)
}, DEADLINE_MS)
main().catch(fail)
