// Files that a program left. Pictures of pixels and tables are shown; all others, SVG and HTML too, are only saved.
import { getArtifact } from "./api.js";
import { Component, html } from "./dom.js";
import { Action, Foreign, Loaded } from "./parts.js";
import { bytes, plain } from "./words.js";

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif"]);
const SEPARATORS = { "text/csv": ",", "text/tab-separated-values": "\t" };
const SHOWN_PICTURE_BYTES = 5 << 20;
const SHOWN_TABLE_BYTES = 1 << 20;
const [SHOWN_FILES, SHOWN_ROWS, SHOWN_COLUMNS] = [8, 50, 20];

/** Save bytes under a name, or follow the link to the bucket, which says itself that a browser saves it. */
async function save(id, file) {
  const { url, content } = await getArtifact(id, file.path);
  const link = document.createElement("a");
  link.href = url ?? URL.createObjectURL(new Blob([content], { type: "application/octet-stream" }));
  link.download = file.path.split("/").at(-1);
  link.rel = "noopener";
  link.click();
  if (!url) setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

class Picture extends Component {
  state = { isBroken: false };

  constructor(props) {
    super(props);
    this.url = URL.createObjectURL(new Blob([props.content], { type: props.file.media_type }));
  }

  componentWillUnmount() {
    URL.revokeObjectURL(this.url);
  }

  render({ file }, { isBroken }) {
    if (isBroken) return html`<p class="quiet">This file is no picture, whatever its name says.</p>`;
    return html`<img src=${this.url} alt=${`Picture ${file.path} of the program`} onError=${() => this.setState({ isBroken: true })} />`;
  }
}

/** The first rows of a table. A quoted cell may hold separators, line ends and doubled quotes. */
export function tableRows(text, separator, most = SHOWN_ROWS) {
  const rows = [];
  let [row, cell, isQuoted] = [[], "", false];
  const endRow = () => {
    rows.push([...row, cell]);
    [row, cell] = [[], ""];
  };
  for (let at = 0; at < text.length && rows.length < most; at += 1) {
    const letter = text[at];
    if (isQuoted && letter === '"' && text[at + 1] === '"') {
      cell += letter;
      at += 1;
    } else if (letter === '"' && (isQuoted || cell === "")) isQuoted = !isQuoted;
    else if (isQuoted) cell += letter;
    else if (letter === separator) {
      row.push(cell);
      cell = "";
    } else if (letter === "\n") endRow();
    else if (letter !== "\r") cell += letter;
  }
  if (rows.length < most && (cell !== "" || row.length > 0)) endRow();
  return rows;
}

function Rows({ content, file }) {
  const text = new TextDecoder().decode(content);
  const [head = [], ...rows] = tableRows(text, SEPARATORS[file.media_type], SHOWN_ROWS + 1);
  const cells = (row) => row.slice(0, SHOWN_COLUMNS);
  return html`<div class="scrolled" tabindex="0" role="region" aria-label=${`Table ${file.path}`}><table class="list">
    <thead><tr>${cells(head).map((cell) => html`<th scope="col"><${Foreign} text=${cell} /></th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${cells(row).map((cell) => html`<td><${Foreign} text=${cell} /></td>`)}</tr>`)}</tbody>
  </table></div>
  ${rows.length === SHOWN_ROWS && html`<p class="quiet">These are the first ${SHOWN_ROWS} rows.</p>`}`;
}

function viewOf(file) {
  if (PICTURES.has(file.media_type) && file.size <= SHOWN_PICTURE_BYTES) return Picture;
  if (file.media_type in SEPARATORS && file.size <= SHOWN_TABLE_BYTES) return Rows;
  return null;
}

function Artifact({ id, file, isShown }) {
  const view = isShown && viewOf(file);
  return html`<li><div class="row"><b><${Foreign} text=${file.path} /></b>
      <span class="quiet">${bytes(file.size)} · ${file.media_type}</span>
      <${Action} kind="small" does=${() => save(id, file)}>Save<//></div>
    ${
      view &&
      html`<${Loaded} what=${file.path} load=${(signal) => getArtifact(id, file.path, signal)}
      show=${({ content }) => content && html`<${view} content=${content} file=${file} />`} />`
    }</li>`;
}

/** The files of a result, and those that were not kept. */
export function Artifacts({ body }) {
  const { artifacts, artifacts_skipped: skipped = [] } = body;
  return html`<section class="artifacts" aria-label="Files"><h3>Files</h3>
    ${artifacts.length === 0 && html`<p class="quiet">The program left no such files.</p>`}
    <ul>${artifacts.map((file, index) => html`<${Artifact} key=${`${body.id} ${file.path}`} id=${body.id} file=${file} isShown=${index < SHOWN_FILES} />`)}</ul>
    ${skipped.map(({ path, reason }) => html`<p class="warning">Not kept: <${Foreign} text=${path || "other files"} /> (${plain(reason)})</p>`)}
  </section>`;
}
