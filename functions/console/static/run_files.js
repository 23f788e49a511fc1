// The files of the run form: sources in tabs of the editor, and data that the program reads.
import { ApiError, call, sendFile } from "./api.js";
import { Component, html } from "./dom.js";
import { endOf, isSource } from "./languages.js";
import { Foreign, Problem } from "./parts.js";
import { bytes } from "./words.js";

const SOURCE_BYTES = 65_536;
const INLINE_EACH_BYTES = 16_384;
const INLINE_BYTES = 196_608; // a request takes 256 KiB
const MOST_BYTES = 100 << 20;
const MOST_FILES = 64;
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]*\/[a-z0-9][a-z0-9!#$&^_.+-]*$/;

async function textOf(file) {
  if (!isSource(file.name) || file.size > SOURCE_BYTES) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    return null;
  }
}

async function base64Of(file) {
  const raw = new Uint8Array(await file.arrayBuffer());
  return btoa(Array.from(raw, (byte) => String.fromCharCode(byte)).join(""));
}

async function sha256Of(file) {
  if (!crypto.subtle) {
    throw new ApiError(400, "", `Open this page with https or on this machine to add ${file.name}: only there can it hash large files.`);
  }
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Return a file of the form: a source with `text`, small data with `base64`, or large data with `sha256`. Throws ApiError. */
async function read(file, inlineBytes) {
  const text = await textOf(file);
  if (text !== null) return { path: file.name, isReadOnly: false, text };
  if (file.size > MOST_BYTES) throw new ApiError(400, "", `${file.name} has more than 100 MiB, the limit of one file.`);
  if (file.size <= INLINE_EACH_BYTES && inlineBytes + file.size <= INLINE_BYTES) {
    return { path: file.name, size: file.size, isReadOnly: false, base64: await base64Of(file) };
  }
  return { path: file.name, size: file.size, isReadOnly: true, sha256: await sha256Of(file), data: file };
}

/** Return the files of the form with these beside them; one with the same path replaces it. Throws ApiError. */
async function withFiles(files, added) {
  let all = files;
  for (const file of added) {
    const inline = all.filter((each) => each.base64 !== undefined).reduce((sum, each) => sum + each.size, 0);
    let one;
    try {
      one = await read(file, inline);
    } catch (error) {
      if (error instanceof ApiError) throw error;
      throw new ApiError(400, "", `${file.name} cannot be read. Is it a folder? "rustbox run FOLDER" sends all its files.`);
    }
    all = [...all.filter((each) => each.path !== one.path), one];
  }
  if (all.length > MOST_FILES) throw new ApiError(400, "", `A run has at most ${MOST_FILES} files.`);
  return all;
}

/** Return the files with an empty source. */
export function withSource(files, language) {
  const end = endOf(language);
  let number = 1;
  while (files.some(({ path }) => path === `part${number}.${end}`)) number += 1;
  return [...files, { path: `part${number}.${end}`, isReadOnly: false, text: "" }];
}

/** Return a file as a request has it. */
export function requested({ path, text, base64, sha256, isReadOnly }) {
  const content = text !== undefined ? { content: text } : base64 !== undefined ? { content_base64: base64 } : { sha256 };
  return { path, ...content, ...(isReadOnly && { read_only: true }) };
}

const textIn = (value) => {
  if (typeof value !== "string") throw new TypeError("a text is expected");
  return value;
};

/** Return a file of a request, which may come from a stranger, as the form has it. Throws TypeError. */
export function formFile({ path, content, content_base64: base64, sha256, read_only: isReadOnly = false }) {
  const file = { path: textIn(path), isReadOnly: isReadOnly === true };
  if (content !== undefined) return { ...file, text: textIn(content) };
  if (base64 !== undefined) return { ...file, base64: textIn(base64), size: Math.floor((base64.length * 3) / 4) };
  return { ...file, sha256: textIn(sha256) };
}

/** Store the large files, those that the project does not have yet. Throws ApiError. */
export async function storeFiles(files, signal) {
  for (const { path, sha256, size, data } of files) {
    if (!data) continue; // its hash alone is known: the service says whether it has the file
    const type = MEDIA_TYPE.test(data.type) ? { media_type: data.type } : {};
    const { body } = await call("POST", "api/files", { body: { sha256, size, ...type }, signal });
    if (!body.exists) await sendFile(body.upload, sha256, path, data, signal);
  }
}

/** The tabs above the editor: the main program, and each source. */
export function Tabs({ files, chosen, onChoose, onNew }) {
  const tab = (path, name) => html`<button class="small" aria-pressed=${path === chosen} onClick=${() => onChoose(path)}>
    <${Foreign} text=${name} /></button>`;
  return html`<div class="row tabs" role="group" aria-label="Sources">${tab(null, "Program")}
    ${files.filter(({ text }) => text !== undefined).map(({ path }) => tab(path, path))}
    <button class="small" onClick=${onNew}>New source</button></div>`;
}

/** The list of the files. `onChange` gets all of them; for a change of one, also the file before and after it. */
export class Files extends Component {
  state = { isDropping: false, error: null };

  componentDidMount() {
    for (const [name, listener] of this.listeners) document.addEventListener(name, listener);
  }

  componentWillUnmount() {
    for (const [name, listener] of this.listeners) document.removeEventListener(name, listener);
  }

  hover = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault(); // else the browser leaves the page for the file
    this.setState({ isDropping: true });
  };

  leave = (event) => {
    if (event.relatedTarget === null) this.setState({ isDropping: false });
  };

  drop = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.setState({ isDropping: false });
    this.add([...event.dataTransfer.files]);
  };

  listeners = [["dragover", this.hover], ["dragleave", this.leave], ["drop", this.drop]];

  add = async (added) => {
    try {
      this.props.onChange(await withFiles(this.props.files, added));
      this.setState({ error: null });
    } catch (error) {
      this.setState({ error });
    }
  };

  replace(old, one) {
    const files = this.props.files.flatMap((each) => (each === old ? (one ? [one] : []) : [each]));
    this.props.onChange(files, old, one);
  }

  row = (file, index) => html`<li key=${index} class="row">
    <input type="text" aria-label=${`Path of file ${index + 1}`} spellcheck=${false} value=${file.path}
      onChange=${(event) => this.replace(file, { ...file, path: event.target.value })} />
    <span class="quiet">${file.text !== undefined ? "text" : file.size === undefined ? "stored" : bytes(file.size)}</span>
    ${
      file.text === undefined &&
      html`<label><input type="checkbox" checked=${file.isReadOnly}
      onChange=${(event) => this.replace(file, { ...file, isReadOnly: event.target.checked })} /> read-only</label>`
    }
    <button class="small" aria-label=${`Remove ${file.path}`} onClick=${() => this.replace(file, null)}>Remove</button></li>`;

  render({ files }, { isDropping, error }) {
    return html`<section class=${isDropping ? "files dropping" : "files"} aria-label="Files of the program">
      <div class="row"><label class="button">Add files<input type="file" multiple onChange=${(event) => {
        this.add([...event.target.files]);
        event.target.value = "";
      }} /></label> <span class="quiet">or drop them on this page</span></div>
      ${error && html`<${Problem} error=${error} />`}
      ${files.length > 0 && html`<ul>${files.map(this.row)}</ul>`}</section>`;
  }
}
