// A webhook receiver to copy, for Node.js and Bun. No dependency; receiver.py does the same in Python.
//
//     WEBHOOK_SECRET           an endpoint's secret (whsec_...), or the webhook_secret of your runs;
//                              or an endpoint's public key (whpk_...)
//     WEBHOOK_PREVIOUS_SECRET  while you change it: the one before
//
// Let a server that speaks TLS stand in front of it; the number of connections and slow clients are bounded there.
"use strict";

const { createHmac, createPublicKey, timingSafeEqual, verify } = require("node:crypto");
const { createServer } = require("node:http");

const TOLERANCE_SECS = 300;
const MAX_BODY_BYTES = 1024 * 1024; // webhooks have at most 256 KiB
const MAX_KEPT_IDS = 100_000;
const READ_MS = 10_000;

// Put your own work here. The answer waits for it, 15 s at most: longer work belongs into a queue.
async function handle(event) {
  // Pure ASCII: the output of a program must not control your terminal.
  const hex = (unit) => "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0");
  console.log(JSON.stringify(event).replace(/[\u007f-\uffff]/g, hex));
}

// The DER form of an ed25519 public key is this and the 32 bytes of the key (RFC 8410).
const ED25519_DER = Buffer.from("302a300506032b6570032100", "hex");

// Return a check: whether an entry of the signature header signs the content.
function checker(secret) {
  if (secret.startsWith("whpk_")) {
    const raw = Buffer.from(secret.slice("whpk_".length), "base64");
    if (raw.length !== 32) throw new Error("a whpk_ key holds 32 bytes in base64");
    const key = createPublicKey({ key: Buffer.concat([ED25519_DER, raw]), format: "der", type: "spki" });
    return (content, entry) =>
      entry.startsWith("v1a,") && verify(null, content, key, Buffer.from(entry.slice("v1a,".length), "base64"));
  }
  const key = signingKey(secret);
  return (content, entry) => {
    const ours = Buffer.from(`v1,${createHmac("sha256", key).update(content).digest("base64")}`, "utf8");
    const theirs = Buffer.from(entry, "utf8");
    return theirs.length === ours.length && timingSafeEqual(theirs, ours);
  };
}

// `whsec_<base64>` is decoded, with or without padding; any other text is the key itself.
function signingKey(secret) {
  if (!secret.startsWith("whsec_")) {
    if (!secret) throw new Error("the secret is empty: anybody could sign with it");
    return Buffer.from(secret, "utf8");
  }
  const encoded = secret.slice("whsec_".length).replace(/=+$/, "");
  const key = Buffer.from(encoded, "base64");
  if (!/^[A-Za-z0-9+/]+$/.test(encoded) || key.length < 24 || key.length > 64) {
    throw new Error("a whsec_ secret holds 24 to 64 bytes in base64");
  }
  return key;
}

// Check the raw body, before anything parses it. The header holds two signatures during a rotation.
function isGenuine(checks, headers, body) {
  const id = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (!id || !/^[0-9]{1,12}$/.test(timestamp)) return false;
  if (Math.abs(Date.now() / 1000 - Number(timestamp)) > TOLERANCE_SECS) return false;
  const content = Buffer.concat([Buffer.from(`${id}.${timestamp}.`, "utf8"), body]);
  const given = (headers["webhook-signature"] ?? "").split(" ");
  return checks.some((check) => given.some((entry) => check(content, entry)));
}

// Events that were handled, by id. In memory, so that this file needs nothing else. A real service keeps the ids in
// its database: a unique key, written in the transaction of the work itself.
const handled = new Map();

// Handle an event; false if that was done before. If `handle` throws, the id is free again, and it comes again.
async function once(id, body) {
  const before = handled.get(id);
  if (before !== undefined) {
    await before; // the duplicate of an event that is being handled waits for its end
    return false;
  }
  const work = (async () => handle(JSON.parse(body.toString("utf8"))))();
  handled.set(id, work);
  if (handled.size > MAX_KEPT_IDS) handled.delete(handled.keys().next().value);
  try {
    await work;
  } catch (error) {
    handled.delete(id);
    throw error;
  }
  return true;
}

function readBody(request) {
  return new Promise((resolve, reject) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => resolve(Buffer.concat(parts)));
    request.on("error", reject);
    request.on("close", () => reject(new Error("the connection ended early")));
  });
}

// Status and text for the log. 200: handled, now or before. 401: not genuine. 411, 413: no length, or too long.
// 500: comes again.
async function receive(request, checks) {
  if (request.method !== "POST") return [501, "refused: not a POST"];
  const length = request.headers["content-length"] ?? "";
  if (!/^[0-9]{1,12}$/.test(length) || "transfer-encoding" in request.headers) {
    return [411, "refused: one content-length is needed"];
  }
  if (Number(length) > MAX_BODY_BYTES) return [413, "refused: too long"];
  try {
    const body = await readBody(request);
    if (!isGenuine(checks, request.headers, body)) {
      return [401, "refused: the signature is wrong, or the timestamp too old"];
    }
    return [200, (await once(request.headers["webhook-id"], body)) ? "handled" : "duplicate"];
  } catch (error) {
    return [500, `failed: ${error.name}`];
  }
}

function main() {
  const portAt = process.argv.indexOf("--port");
  const port = portAt < 0 ? 4099 : Number(process.argv[portAt + 1]);
  const secrets = [process.env.WEBHOOK_SECRET ?? "", process.env.WEBHOOK_PREVIOUS_SECRET];
  const checks = secrets.filter((secret) => secret !== undefined).map(checker);
  const server = createServer({ requestTimeout: READ_MS, headersTimeout: READ_MS }, async (request, response) => {
    const [status, told] = await receive(request, checks);
    console.error(told);
    response.writeHead(status, { "content-length": "0", connection: "close" });
    response.end(() => {
      request.destroy(); // the rest of the request is not needed
      if (status === 200 && process.argv.includes("--once")) process.exit(0);
    });
  });
  server.listen(port, "127.0.0.1", () => console.error(`listening on http://127.0.0.1:${server.address().port}/`));
}

if (require.main === module) main();
