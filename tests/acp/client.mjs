// The unmodified TypeScript SDK of ACP plays a plan with an agent; see tests/acp/plan.py.
//
//   node client.mjs < PLAN
//
// Prints a JSON line for each message in the order of the wire, {"sent", "message"}; before those
// of a step {"step"}; and at the end {"handled"}: how many messages reached the client's handlers.

import { spawn } from "node:child_process"
import { once } from "node:events"
import { Readable, Writable } from "node:stream"
import { text } from "node:stream/consumers"
import * as acp from "@agentclientprotocol/sdk"

const plan = JSON.parse(await text(process.stdin))
const handled = { updates: 0, permissions: 0 }
let session, watch, openPermissions

function print(line) {
  process.stdout.write(JSON.stringify(line) + "\n")
}

function tapped(sent) {
  return new TransformStream({
    transform(message, controller) {
      print({ sent, message })
      controller.enqueue(message)
    },
  })
}

/** The SDK's own stream over a pipe, with all that passes printed. */
function recorded(child) {
  const stream = acp.ndJsonStream(Writable.toWeb(child.stdin), Readable.toWeb(child.stdout))
  const outgoing = tapped(true)
  outgoing.readable.pipeTo(stream.writable).catch(() => {})
  return { writable: outgoing.writable, readable: stream.readable.pipeThrough(tapped(false)) }
}

function update({ params }) {
  handled.updates += 1
  if (params.update.sessionUpdate === "agent_message_chunk") {
    watch?.(params.update.content.text?.length ?? 0)
  }
}

async function permission({ params }) {
  handled.permissions += 1
  if (plan.permission === "wait") {
    openPermissions()
    return { outcome: { outcome: "cancelled" } }
  }
  const option = params.options.find((one) => one.kind === plan.permission)
  return { outcome: { outcome: "selected", optionId: option.optionId } }
}

/** Gives the first answer that each field of a form offers. */
function form({ params }) {
  const fields = Object.entries(params.requestedSchema.properties)
  const content = fields.map(([name, field]) => [name, field.oneOf[0].const])
  return { action: "accept", content: Object.fromEntries(content) }
}

/** Cancels once `after` characters of text have come. */
function cancelling(agent, after) {
  let told = 0
  return (length) => {
    told += length
    if (told < after) return
    watch = undefined
    agent.notify("session/cancel", { sessionId: session })
  }
}

const steps = {
  async new(agent) {
    const params = { cwd: plan.directory, mcpServers: [] }
    session = (await agent.request("session/new", params)).sessionId
  },
  async prompt(agent, step) {
    watch = step.cancel_after ? cancelling(agent, step.cancel_after) : undefined
    openPermissions = () => agent.notify("session/cancel", { sessionId: session })
    const prompt = [{ type: "text", text: step.text }]
    await agent.request("session/prompt", { sessionId: session, prompt })
  },
  async load(agent, step) {
    session = step.session
    const params = { sessionId: session, cwd: plan.directory, mcpServers: [] }
    await agent.request("session/load", params)
  },
  async resume(agent, step) {
    session = step.session
    const params = { sessionId: session, cwd: plan.directory, mcpServers: [] }
    await agent.request("session/resume", params)
  },
  async list(agent) {
    await agent.request("session/list", { cwd: plan.directory })
  },
  async close(agent) {
    await agent.request("session/close", { sessionId: session })
  },
  async option(agent, step) {
    const params = { sessionId: session, configId: step.option, value: step.value }
    await agent.request("session/set_config_option", params)
  },
}

async function play(agent) {
  await agent.request("initialize", {
    protocolVersion: acp.PROTOCOL_VERSION,
    clientCapabilities: plan.capabilities,
    clientInfo: { name: "weir-check", version: "1" },
  })
  for (const [number, step] of plan.steps.entries()) {
    print({ step: number })
    try {
      await steps[step.do](agent, step)
    } catch (error) {
      // An answer that is an error is on the wire, for the test to judge; all else is not.
      if (!(error instanceof acp.RequestError)) throw error
    }
  }
}

const [program, ...words] = plan.command
const stdio = ["pipe", "pipe", "inherit"]
const child = spawn(program, words, { cwd: plan.directory, env: plan.env, stdio })
try {
  await acp
    .client({ name: "weir-check" })
    .onRequest("session/request_permission", permission)
    .onRequest("elicitation/create", form)
    .onNotification("session/update", update)
    .connectWith(recorded(child), play)
  print({ handled })
} finally {
  child.stdin.destroy()
  const patience = setTimeout(() => child.kill("SIGKILL"), 3000)
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  clearTimeout(patience)
}
