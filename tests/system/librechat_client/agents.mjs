// Runs programs with the published tools of @librechat/agents, as its graph does; prints what a model and its host get.
// Arguments: the folder of the packages, and the API key. LIBRECHAT_CODE_BASEURL names the service.
import { pathToFileURL } from "node:url";

const [folder, key] = process.argv.slice(2);
const load = (path) => import(pathToFileURL(`${folder}/${path}`).href);
const agents = await load("@librechat/agents/dist/esm/main.mjs");
const { AIMessage } = await load("@langchain/core/dist/messages/index.js");
const authHeaders = { "X-API-Key": key };
const tools = [agents.createCodeExecutionTool({ authHeaders }), agents.createBashExecutionTool({ authHeaders })];
const node = new agents.ToolNode({ tools, sessions: new Map() });

async function call(name, args) {
  const message = new AIMessage({ content: "", tool_calls: [{ id: name, name, args, type: "tool_call" }] });
  const { messages } = await node.invoke({ messages: [message] });
  const [{ content, artifact, status }] = messages;
  return { content, artifact, status };
}

const python = (code) => call("execute_code", { lang: "py", code });
const seen = {
  made: await python("open('/mnt/data/a.csv', 'w').write('1,2\\n')\nprint('made')"),
  changed: await call("bash_tool", { command: "cat /mnt/data/a.csv; echo 3,4 >> a.csv" }),
  read: await python("print(open('a.csv').read())"),
  wrong: await python("print(1 / 0)"),
  unknown: await call("execute_code", { lang: "d", code: "void main() {}" }),
};
const programmatic = agents.createProgrammaticToolCallingTool({ authHeaders });
const given = { id: "1", type: "tool_call", toolMap: new Map([["add", {}]]), toolDefs: [{ name: "add" }] };
for (const [name, code] of Object.entries({ uncalled: "print('no call')", called: "print(await add(a=1))" })) {
  const said = programmatic.invoke({ ...given, name: programmatic.name, args: { code } });
  seen[name] = await said.then((message) => message.content, (error) => error.message);
}
console.log(JSON.stringify(seen));
