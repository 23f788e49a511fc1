// Run the built node as n8n runs it: `drive.cjs FOLDER URL KEY`. It reads a line of JSON for each call, and writes one.
"use strict";

const { createInterface } = require("node:readline");
const { join } = require("node:path");

const [folder, url, key] = process.argv.slice(2);
const { Rustbox } = require(join(folder, "dist/nodes/Rustbox.node.js"));

/** The functions of n8n that the node calls; the request is a real one. */
function functions({ parameters, items = [{ json: {} }], goesOn = false, resumeUrl }) {
  const self = {
    waits: false,
    getInputData: () => items,
    getNodeParameter: (name, _item, fallback) => parameters[name] ?? fallback,
    getNode: () => ({ name: "Rustbox", type: "rustbox", typeVersion: 1, id: "1", position: [0, 0], parameters: {} }),
    continueOnFail: () => goesOn,
    evaluateExpression: () => resumeUrl,
    putExecutionToWait: async () => void (self.waits = true),
    getCredentials: async () => ({ url, apiKey: key }),
    helpers: {
      httpRequestWithAuthentication: async (_name, { method, url: address, body }) => {
        const headers = { "X-API-Key": key, "Content-Type": "application/json" };
        const answer = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
        return { statusCode: answer.status, body: await answer.json() };
      },
    },
  };
  return self;
}

async function webhook({ headers, body, secret }) {
  let status = 200;
  const answer = await new Rustbox().webhook.call({
    getRequestObject: () => ({ headers, rawBody: Buffer.from(body, "base64") }),
    getNodeParameter: () => secret,
    getResponseObject: () => ({ status: (code) => ((status = code), { json: () => undefined }) }),
  });
  return { status, data: answer.workflowData ?? null };
}

async function execute(call) {
  const self = functions(call);
  try {
    const [results] = await new Rustbox().execute.call(self);
    return { results: results.map(({ json }) => json), waits: self.waits };
  } catch (error) {
    return { error: `${error.message} ${error.description ?? ""}` };
  }
}

createInterface({ input: process.stdin }).on("line", async (line) => {
  const call = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await (call.webhook ? webhook(call.webhook) : execute(call)))}\n`);
});
