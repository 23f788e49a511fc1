// Try it: below each operation of the API reference, a form that fills in its curl command and sends it.
// The API is that of the host that serves this page. Keys stay in the memory of this page.
// Texts of the document and of answers become text nodes, never markup.

const ROOT = new URL("../", import.meta.url); // this file is <root>/docs/try_it.js
const MOST_SHOWN_CHARS = 100_000;
const SHOWN_HEADERS = ["content-type", "x-request-id", "retry-after", "ratelimit-remaining"];
const STYLE = `
  form, form label { grid-template-columns: minmax(0, 1fr); }
  form { display: grid; gap: .6rem; margin-bottom: 1rem; padding: .8rem; border: 1px solid var(--line); border-radius: 6px; }
  form label { display: grid; gap: .2rem; }
  form :is(input, select, textarea, button) { font: inherit; color: inherit; background: Canvas; padding: .35rem .5rem;
    border: 1px solid GrayText; border-radius: 4px; max-width: 100%; box-sizing: border-box; }
  form textarea { font: 14px/1.4 ui-monospace, monospace; min-height: 9rem; }
  form button { justify-self: start; padding: .35rem 1.2rem; cursor: pointer; }
  form pre { margin: 0; max-height: 30rem; overflow: auto; }
  fieldset { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr)); gap: .6rem;
    margin: 0; border: 0; padding: 0; min-width: 0; }
`;

const keys = new Map(); // by header
let description; // the OpenAPI document, once a form needs it
let health;

function element(name, properties = {}, ...content) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...content.filter((part) => part !== null));
  return made;
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
const encoded = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16)}`);

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function loaded() {
  description ??= fetch("api/openapi.json").then((answer) => answer.json());
  const operations = Object.entries((await description).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
  );
  return { operations, schemes: (await description).components.securitySchemes };
}

/** Whether an API answers beside this page: a site elsewhere only shows commands. */
async function hasApi() {
  health ??= fetch(new URL("api/health", ROOT), { credentials: "omit", cache: "no-store" })
    .then(async (answer) => answer.ok && typeof (await answer.json()).version === "string")
    .catch(() => false);
  return health;
}

function input({ schema, required }) {
  const choices = schema.enum ?? (schema.type === "boolean" ? ["true", "false"] : null);
  if (choices === null) return element("input", { required, autocomplete: "off", spellcheck: false });
  const options = choices.map((each) => element("option", { value: each, textContent: each }));
  return element("select", { required }, element("option", { value: "" }), ...options);
}

/** A form's parts: `read()` returns the request as the form has it now. */
class Form {
  constructor(operation, schemes) {
    this.operation = operation;
    // The first is the header of its own; `Authorization: Bearer` is as good.
    this.headers = operation.security.slice(0, 1).flatMap(Object.keys).map((name) => schemes[name].name);
    this.parameters = operation.parameters.map((each) => ({ ...each, input: input(each) }));
    [this.mediaType, this.content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [null, null];
    this.isJson = this.mediaType === "application/json";
    this.body = this.content && this.#bodyInput();
  }

  #bodyInput() {
    if (!this.isJson) return element("input", { type: "file" });
    const first = Object.values(this.content.examples)[0]?.value;
    return element("textarea", { value: JSON.stringify(first, null, 2) ?? "", spellcheck: false });
  }

  read() {
    let path = this.operation.path;
    const query = [];
    const headers = {};
    for (const { name, in: place, input: field } of this.parameters) {
      const value = field.value;
      if (place === "path") {
        const isWhole = path.includes(`{${name}+}`);
        const text = isWhole ? value.split("/").map(encoded).join("/") : encoded(value);
        path = path.replace(isWhole ? `{${name}+}` : `{${name}}`, () => text || name.toUpperCase());
      } else if (value !== "" && place === "query") query.push(`${encoded(name)}=${encoded(value)}`);
      else if (value !== "") headers[name] = value;
    }
    const body = this.isJson ? this.body.value.trim() : this.body?.files[0];
    if (body) headers["Content-Type"] = this.mediaType;
    return { path: path + (query.length ? `?${query.join("&")}` : ""), headers, body };
  }

  /** The command for a shell. Keys are variables in it. */
  command() {
    const { path, headers, body } = this.read();
    const method = { GET: "", HEAD: " --head" }[this.operation.method] ?? ` -X ${this.operation.method}`;
    const lines = [`curl -s${method} "$RUSTBOX_URL${path}"`];
    for (const name of this.headers) {
      const known = { "X-API-Key": "$RUSTBOX_API_KEY", "X-Admin-Key": "$RUSTBOX_ADMIN_KEY" }[name];
      lines.push(`-H "${name}: ${known ?? name.toUpperCase()}"`);
    }
    lines.push(...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`));
    if (body) lines.push(this.isJson ? `-d ${quoted(body)}` : "--data-binary @FILE");
    return lines.join(" \\\n  ");
  }

  async send() {
    const { path, headers, body } = this.read();
    if (this.isJson && body && !isJson(body)) throw new Error("the body is no JSON");
    for (const name of this.headers) headers[name] = keys.get(name) ?? "";
    const options = { method: this.operation.method, headers, body: body || undefined };
    const more = { credentials: "omit", cache: "no-store", redirect: "manual", referrerPolicy: "no-referrer" };
    return fetch(new URL(path.slice(1), ROOT), { ...options, ...more });
  }
}

async function shown(answer) {
  if (answer.type === "opaqueredirect") return ["A redirect. Its target is not shown here: use the command.", ""];
  const type = answer.headers.get("content-type") ?? "";
  const given = SHOWN_HEADERS.filter((name) => answer.headers.has(name));
  const lines = given.map((name) => `${name}: ${answer.headers.get(name)}`);
  const bytes = await answer.arrayBuffer();
  let text = /json|text|xml|javascript/.test(type) ? new TextDecoder().decode(bytes) : `${bytes.byteLength} bytes`;
  if (/json/.test(type) && isJson(text)) text = JSON.stringify(JSON.parse(text), null, 2);
  const more = text.length - MOST_SHOWN_CHARS;
  if (more > 0) text = `${text.slice(0, MOST_SHOWN_CHARS)}\n… and ${more} more characters`;
  return [`${answer.status} ${answer.statusText}`.trim(), [...lines, "", text].join("\n")];
}

function keyLabel(name) {
  const field = element("input", { type: "password", autocomplete: "off", value: keys.get(name) ?? "" });
  field.dataset.key = name;
  field.addEventListener("input", () => {
    keys.set(name, field.value);
    for (const other of document.querySelectorAll("input[data-key]")) {
      if (other !== field && other.dataset.key === name) other.value = field.value;
    }
  });
  return element("label", {}, `${name}, kept in this page only`, field);
}

async function addForm(part) {
  const { operations, schemes } = await loaded();
  const operation = operations.find((each) => each.operationId === part.id);
  if (!operation) return;
  const form = new Form(operation, schemes);
  const command = part.querySelector("pre");
  const status = element("output");
  const answer = element("pre", { hidden: true, tabIndex: 0 });
  answer.setAttribute("role", "region");
  answer.setAttribute("aria-label", `Answer of ${operation.operationId}`);
  const labels = form.parameters.map((each) =>
    element("label", {}, `${each.name} (${each.in}${each.required ? ", required" : ""})`, each.input),
  );
  const examples = form.isJson ? Object.entries(form.content.examples) : [];
  const options = examples.map(([name], index) => element("option", { value: index, textContent: name }));
  const choice = element("select", {}, ...options);
  choice.addEventListener("change", () => {
    form.body.value = JSON.stringify(examples[choice.value][1].value, null, 2);
  });
  const isSignature = form.headers.includes("webhook-signature");
  const isSent = !isSignature && (await hasApi());
  const why = isSignature ? "A signed call is not sent from here" : "No API answers at this address";
  const made = element(
    "form",
    { ariaLabel: `Try ${operation.operationId}` },
    element("fieldset", {}, ...(isSent ? form.headers.map(keyLabel) : []), ...labels),
    examples.length > 1 ? element("label", {}, "Example", choice) : null,
    form.body && element("label", {}, `Body (${form.mediaType})`, form.body),
    isSent ? element("button", { textContent: "Send" }) : element("p", { textContent: `${why}: use the command.` }),
    status,
    answer,
  );
  const fill = () => {
    command.textContent = form.command();
  };
  made.addEventListener("input", fill);
  made.addEventListener("change", fill);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!isSent) return;
    status.textContent = "Waiting for the answer …";
    try {
      const begun = performance.now();
      const [line, text] = await shown(await form.send());
      status.textContent = `${line} after ${Math.round(performance.now() - begun)} ms`;
      answer.textContent = text;
    } catch (error) {
      status.textContent = `Not sent: ${error.message}`;
      answer.textContent = "";
    }
    answer.hidden = answer.textContent === "";
  });
  fill();
  command.after(made);
  for (const scrolled of part.querySelectorAll("pre, .table")) scrolled.tabIndex = 0; // also without a mouse
}

const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);
document.adoptedStyleSheets.push(sheet);
for (const details of document.querySelectorAll("details")) {
  const part = details.querySelector(":scope > div[id]");
  if (!part?.querySelector("pre")?.textContent.startsWith("curl")) continue;
  const tell = (error) => part.prepend(element("p", { textContent: `No form: ${error.message}` }));
  const begin = () => addForm(part).catch(tell);
  if (details.open) begin();
  else details.addEventListener("toggle", begin, { once: true });
}
