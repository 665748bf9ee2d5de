// Walks the routes of a weir with the unmodified opencode SDK, and checks the shapes of answers.
//
//   node walk.mjs [--v1] BASE_URL DIRECTORY
//
// Prints a JSON line [METHOD, PATH, STATUS] for each request that the SDK has sent; exits with 1,
// and a reason on stderr, at the first answer that is wrong.

import { parseArgs } from "node:util"

const { values, positionals } = parseArgs({
  options: { v1: { type: "boolean", default: false } },
  allowPositionals: true,
})
const [baseUrl, directory] = positionals

/** Sends a request, and prints what came of it. */
async function recorded(request) {
  const answer = await fetch(request)
  const { pathname } = new URL(request.url)
  console.log(JSON.stringify([request.method, pathname, answer.status]))
  return answer
}

const { createOpencodeClient } = await import(values.v1 ? "@opencode-ai/sdk" : "@opencode-ai/sdk/v2")
const client = createOpencodeClient({ baseUrl, directory, fetch: recorded })

/** Returns a method of the client by its name, such as "session.list"; undefined if it has none. */
function method(name) {
  const [last, ...path] = name.split(".").reverse()
  const owner = path.reverse().reduce((at, word) => at?.[word], client)
  return owner?.[last]?.bind(owner)
}

/** Calls a method of either version: v1 takes path, body and query apart, v2 takes all in one. */
async function call(name, { path = {}, body, query = {} } = {}) {
  const { sessionID, ...others } = path
  const options = values.v1
    ? { path: { id: sessionID, ...others }, body, query }
    : { ...path, ...body, ...query }
  const { data, error } = await method(name)(options)
  if (error) throw new Error(`${name}: ${JSON.stringify(error)}`)
  return data
}

function check(is, what, found) {
  if (!is) throw new Error(`${what}: ${JSON.stringify(found)?.slice(0, 500)}`)
  return found
}

async function until(find, what) {
  while (true) {
    const found = await find()
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isList = (data) => Array.isArray(data)
const isObject = (data) => data !== null && typeof data === "object" && !isList(data)
const isTrue = (data) => data === true
const hasData = (data) => isList(data.data)
const NOTHING_ASKED = [
  ["app.agents", (data) => data.some((one) => one.name === "build" && isList(one.permission))],
  ["app.skills", isList],
  ["command.list", (data) => data.some((one) => one.name === "init" && one.template)],
  ["config.get", isObject],
  ["config.providers", (data) => isList(data.providers) && isObject(data.default)],
  ["file.list", (data) => data.some((one) => one.name === "a.txt"), { query: { path: "." } }],
  ["file.read", (data) => data.content === "needle\n", { query: { path: "a.txt" } }],
  ["file.status", isList],
  ["find.text", (data) => data[0].path.text === "a.txt", { query: { pattern: "needle" } }],
  ["find.files", (data) => data.includes("a.txt"), { query: { query: "a.txt" } }],
  ["find.symbols", isList, { query: { query: "a" } }],
  ["formatter.status", isList],
  ["global.config.get", isObject],
  ["global.health", (data) => data.healthy === true && data.version],
  ["lsp.status", isList],
  ["mcp.status", isObject],
  ["path.get", (data) => data.directory === directory && data.worktree],
  ["permission.list", isList],
  ["project.list", (data) => data.every((one) => one.id && one.worktree)],
  ["provider.auth", isObject],
  ["provider.list", (data) => isList(data.all) && isList(data.connected)],
  ["pty.list", isList],
  ["pty.shells", isList],
  ["question.list", isList],
  ["tool.ids", (data) => data.includes("bash")],
  [
    "tool.list",
    (data) => data.some((one) => one.id === "bash" && one.parameters.type === "object"),
    { query: { provider: "demo", model: "demo" } },
  ],
  ["vcs.get", isObject],
  ["worktree.list", isList],
  ["experimental.capabilities.get", isObject],
  ["experimental.console.get", isObject],
  ["experimental.console.listOrgs", isObject],
  ["experimental.resource.list", isObject],
  ["experimental.workspace.adapter.list", isList],
  ["experimental.workspace.list", isList],
  ["experimental.workspace.status", isList],
  ["v2.agent.list", hasData],
  ["v2.command.list", hasData],
  ["v2.health.get", (data) => data.healthy === true],
  ["v2.integration.list", hasData],
  ["v2.location.get", (data) => data.directory === directory],
  ["v2.model.list", hasData],
  ["v2.provider.list", hasData],
  ["v2.reference.list", hasData],
  ["v2.session.active", isObject],
  ["v2.session.list", hasData],
  ["v2.skill.list", hasData],
]

const isSession = (data) => data.id.startsWith("ses_") && data.time.created
const isMessage = (data) => data.info.id.startsWith("msg_") && isList(data.parts)
const words = (text) => ({ parts: [{ type: "text", text }] })
const textOf = (message) => message.parts.map((part) => part.text ?? "").join("")

async function start() {
  for (const [name, is, given] of NOTHING_ASKED) {
    if (method(name)) check(is(await call(name, given)), name, name)
  }
  const project = check(true, "", await call("project.current"))
  check(project.id && project.worktree, "project.current", project)
  if (method("project.directories")) {
    check(isList(await call("project.directories", { path: { projectID: project.id } })), "folders")
  }
}

async function session() {
  const made = await call("session.create", { body: { title: "walked" } })
  check(isSession(made) && made.title === "walked", "session.create", made)
  const path = { sessionID: made.id }
  const child = await call("session.create", { body: { parentID: made.id } })
  check(isSession(await call("session.get", { path })), "session.get")
  check((await call("session.list")).some((one) => one.id === made.id), "session.list")
  check((await call("session.children", { path }))[0].id === child.id, "session.children")
  const renamed = await call("session.update", { path, body: { title: "renamed" } })
  check(renamed.title === "renamed", "session.update", renamed)
  check(isObject(await call("session.status")), "session.status")
  check(isList(await call("session.todo", { path })), "session.todo")
  check(isList(await call("session.diff", { path })), "session.diff")
  check(isTrue(await call("session.delete", { path: { sessionID: child.id } })), "session.delete")
  return path
}

async function messages(path) {
  const answer = await call("session.prompt", { path, body: words("storm 2 9") })
  check(isMessage(answer) && answer.info.role === "assistant", "session.prompt", answer)
  check(textOf(answer) === "0000000| 0000001| ", "the text of the answer", answer)
  const stored = await call("session.messages", { path })
  check(stored.length === 2 && stored.every(isMessage), "session.messages", stored)
  const at = { ...path, messageID: stored[0].info.id }
  check(textOf(await call("session.message", { path: at })) === "storm 2 9", "session.message")
  const ran = await call("session.shell", { path, body: { agent: "build", command: "echo one" } })
  check(ran.parts?.[0].state.output.includes("one"), "session.shell", ran)
  const command = { command: "init", arguments: "" }
  check(isMessage(await call("session.command", { path, body: command })), "session.command")
  const fork = await call("session.fork", { path, body: {} })
  check(isSession(fork) && fork.id !== path.sessionID, "session.fork", fork)
  const hidden = await call("session.revert", { path, body: { messageID: at.messageID } })
  check(hidden.revert.messageID === at.messageID, "session.revert", hidden)
  check(!(await call("session.unrevert", { path })).revert, "session.unrevert")
  const model = { providerID: "demo", modelID: "demo" }
  check(isTrue(await call("session.summarize", { path, body: model })), "session.summarize")
  if (!method("part.update")) return
  const part = stored[0].parts[0]
  const where = { ...at, partID: part.id }
  const changed = await call("part.update", { path: where, body: { part: { ...part, text: "b" } } })
  check(changed.text === "b", "part.update", changed)
  check(isTrue(await call("part.delete", { path: where })), "part.delete")
  check(isTrue(await call("session.deleteMessage", { path: at })), "session.deleteMessage")
}

/** Returns what waits for a person in a session; v1 has no method for it. */
async function asked(kind, path) {
  const where = `${baseUrl}/${kind}?directory=${encodeURIComponent(directory)}`
  const all = async () => (values.v1 ? (await fetch(where)).json() : call(`${kind}.list`))
  const own = (one) => one.sessionID === path.sessionID
  return until(async () => (await all()).find(own), `a ${kind}`)
}

const isIdle = async (path) => !(await call("session.status"))[path.sessionID]

async function permissions(path) {
  const body = words("tool bash echo two then 1")
  await call("session.promptAsync", { path, body })
  const first = await asked("permission", path)
  check(first.permission === "bash" && isList(first.patterns), "a permission", first)
  if (values.v1) {
    const where = { id: path.sessionID, permissionID: first.id }
    const answer = { path: where, body: { response: "once" } }
    const { data } = await client.postSessionIdPermissionsPermissionId(answer)
    check(isTrue(data), "postSessionIdPermissionsPermissionId", data)
  } else {
    const said = { path: { requestID: first.id }, body: { reply: "once" } }
    check(isTrue(await call("permission.reply", said)), "permission.reply")
    await until(() => isIdle(path), "the end of the turn")
    await call("session.promptAsync", { path, body })
    const where = { ...path, permissionID: (await asked("permission", path)).id }
    const older = { path: where, body: { response: "once" } }
    check(isTrue(await call("permission.respond", older)), "permission.respond")
  }
  await until(() => isIdle(path), "the end of the turn")
  const parts = (await call("session.messages", { path })).flatMap((one) => one.parts)
  const ran = parts.filter((one) => one.tool === "bash" && one.state.output?.includes("two"))
  check(ran.length === (values.v1 ? 1 : 2), "the calls of bash", parts)
}

async function questions(path) {
  const options = [{ label: "left", description: "" }]
  const given = { questions: [{ question: "Which way?", header: "Way", options }] }
  const body = words(`tool question ${JSON.stringify(given)} then 1`)
  for (const reply of ["reply", "reject"]) {
    await call("session.promptAsync", { path, body })
    const { id, questions } = await asked("question", path)
    check(questions[0].question === "Which way?", "a question", questions)
    const answers = reply === "reply" ? { answers: [["left"]] } : undefined
    const said = await call(`question.${reply}`, { path: { requestID: id }, body: answers })
    check(isTrue(said), `question.${reply}`, said)
    await until(() => isIdle(path), "the end of the turn")
  }
}

async function mcp() {
  const config = { type: "local", command: ["true"], enabled: false }
  const added = await call("mcp.add", { body: { name: "mine", config } })
  check(added.mine.status === "disabled", "mcp.add", added)
  const path = { name: "mine" }
  check(isTrue(await call("mcp.connect", { path })), "mcp.connect")
  check(isTrue(await call("mcp.disconnect", { path })), "mcp.disconnect")
  check((await call("mcp.status")).mine.status === "disabled", "mcp.status")
}

async function streams() {
  for (const name of ["event.subscribe", "global.event"]) {
    const { stream } = await method(name)({})
    const { value } = await stream.next()
    check((value.payload ?? value).type === "server.connected", name, value)
    await stream.return()
  }
}

async function end(path) {
  check(isTrue(await call("session.abort", { path })), "session.abort")
  check(isTrue(await call("instance.dispose")), "instance.dispose")
  if (method("global.dispose")) check(isTrue(await call("global.dispose")), "global.dispose")
}

try {
  await start()
  const path = await session()
  await messages(path)
  await permissions(path)
  if (method("question.list")) await questions(path)
  await mcp()
  await streams()
  await end(path)
  process.stdout.write("", () => process.exit(0))
} catch (error) {
  console.error(`walk.mjs: ${error.message}${error.cause ? `: ${error.cause.message}` : ""}`)
  process.exit(1)
}
