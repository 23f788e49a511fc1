// Calls of the public API with the user's key, which lives in this tab only.

/** The root of the API. This file is <root>/console/<version>/api.js, so a stage prefix needs no setting. */
export const ROOT = new URL("../../", import.meta.url);

const KEY = "rustbox.key";
const ADMIN_KEY = "rustbox.admin_key";
const LONGEST_PAUSE_MS = 8000;
const MOST_FAILURES = 5;

export const key = {
  get: () => sessionStorage.getItem(ADMIN_KEY) ?? sessionStorage.getItem(KEY),
  isAdmin: () => sessionStorage.getItem(ADMIN_KEY) !== null,
  set: (value, isAdmin) => sessionStorage.setItem(isAdmin ? ADMIN_KEY : KEY, value),
  forget: () => [KEY, ADMIN_KEY].forEach((name) => sessionStorage.removeItem(name)),
};

/** Called with the error when the service refuses the key. The shell sets it. */
export const refusal = { tell: () => {} };

/** A failed call. `status` is 0 if no answer came. */
export class ApiError extends Error {
  constructor(status, code, message, { fields = [], retryAfterSecs = null, requestId = null } = {}) {
    super(message);
    Object.assign(this, { status, code, fields, retryAfterSecs, requestId });
  }

  get mayPass() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

function address(path, query) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

async function send(method, path, { query, body, signal, headers = {}, apiKey = key.get(), isAdmin = key.isAdmin() }) {
  const request = {
    method,
    signal,
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    headers: { "x-rustbox-client": "console", ...headers },
  };
  if (apiKey) request.headers[isAdmin ? "x-admin-key" : "x-api-key"] = apiKey;
  if (body !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  try {
    return await fetch(address(path, query), request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", `No answer from ${ROOT.host}. Is the service running, and are you online?`);
  }
}

async function failure(response) {
  const text = await response.text();
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    // A gateway's page: the status alone says what is known.
  }
  return new ApiError(response.status, body.error ?? "", body.message ?? `The service answered ${response.status}.`, {
    fields: body.fields,
    retryAfterSecs: Number(response.headers.get("retry-after")) || null,
    requestId: response.headers.get("x-request-id"),
  });
}

/** Call the API; return `{ status, body, headers }`. 408 counts as an answer: the run goes on. Throws ApiError. */
export async function call(method, path, options = {}) {
  const response = await send(method, path, options);
  if (response.ok || response.status === 408) {
    return { status: response.status, body: await response.json(), headers: response.headers };
  }
  const error = await failure(response);
  if (error.status === 401 && options.apiKey === undefined) refusal.tell(error);
  throw error;
}

export const get = async (path, query, signal) => (await call("GET", path, { query, signal })).body;
export const post = async (path, body, options = {}) => (await call("POST", path, { body, ...options })).body;

/** Return `{ content }` of a run's file, or `{ url }` if it is in a bucket. Throws ApiError. */
export async function getArtifact(id, path, signal) {
  const names = path.split("/").map(encodeURIComponent).join("/");
  const response = await send("GET", `api/result/${id}/artifacts/${names}`, { signal });
  if (!response.ok) throw await failure(response);
  // The service never gives a file another type than that of bytes.
  const isLink = response.headers.get("content-type")?.startsWith("application/json");
  return isLink ? { url: (await response.json()).url } : { content: await response.arrayBuffer() };
}

/** Send the bytes of a stored file as the service says. Throws ApiError. */
export async function sendFile({ url, headers }, sha256, path, data, signal) {
  const { pathname, search } = new URL(url);
  const own = `api/files/${sha256}/content`;
  if (!pathname.endsWith(`/${own}`)) {
    throw new ApiError(400, "", `This page calls no other host, so it cannot send ${path} to the bucket. "rustbox files put" does; then run again.`);
  }
  let response;
  try {
    // By the address of this page: that of the link may have another name for the same host.
    response = await fetch(address(own + search), { method: "PUT", headers, body: data, signal, cache: "no-store", credentials: "omit", redirect: "error" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "offline", `${path} was not stored: the connection ended.`);
  }
  if (!response.ok) throw await failure(response);
}

/** Return the text of an answer. Throws ApiError. */
export async function getText(path, signal) {
  const response = await send("GET", path, { signal });
  if (!response.ok) throw await failure(response);
  return response.text();
}

export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("aborted", "AbortError"));
    });
  });
}

/**
 * Ask until `isDone`, at most `rounds` times, with pauses that grow. A hidden tab asks nothing.
 * Failures that may pass are repeated a few times. Returns the last answer. Throws ApiError.
 */
export async function poll(ask, isDone, { signal, rounds = 120, firstPauseMs = 400, onAnswer = () => {} }) {
  let pauseMs = firstPauseMs;
  let failures = 0;
  let answer = null;
  for (let round = 0; round < rounds; round += 1) {
    try {
      answer = await ask();
      failures = 0;
      onAnswer(answer);
      if (isDone(answer)) return answer;
    } catch (error) {
      failures += 1;
      if (!error.mayPass || failures >= MOST_FAILURES) throw error;
      if (error.retryAfterSecs) await sleep(Math.min(error.retryAfterSecs, 60) * 1000, signal);
    }
    do await sleep(pauseMs, signal);
    while (document.hidden);
    pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS);
  }
  return answer;
}

/** A random id for `Idempotency-Key`. `crypto.randomUUID` exists on https and loopback only. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
