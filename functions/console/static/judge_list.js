// The newest judge runs. A page of a filtered list may be short, so pages are read until enough judge runs are found.
import { get } from "./api.js";
import { html } from "./dom.js";
import { Empty, Loaded, Table, Time } from "./parts.js";
import { shortId } from "./words.js";

const WANTED = 20;
const MOST_PAGES = 5;

async function newest(signal) {
  const found = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { items, next_cursor: next } = await get("api/results", { kind: "judge", limit: WANTED, cursor }, signal);
    found.push(...items);
    if (!next || found.length >= WANTED) return found.slice(0, WANTED);
    cursor = next;
  }
  return found.slice(0, WANTED);
}

function tone({ passed, cases }) {
  if (passed === undefined) return "open";
  return passed === cases ? "AC" : "bad";
}

function Row(run) {
  return html`<tr key=${run.id}>
    <td><span class=${`badge verdict-${tone(run)}`}>${run.passed ?? "…"}/${run.cases}</span></td>
    <td><a href=${`#/judge/${run.id}`}><code>${shortId(run.id)}</code></a></td>
    <td>${run.language}</td>
    <td data-name="points">${run.score ?? "–"}${run.max_score !== undefined && ` of ${run.max_score}`}</td>
    <td class="end"><${Time} at=${run.timestamps.created_at} /></td>
  </tr>`;
}

export function JudgeRuns() {
  return html`<${Loaded} what="judge runs" load=${newest} show=${(runs) =>
    runs.length === 0
      ? html`<${Empty} title="No judge runs">
        <p><code>POST api/judge</code> runs one program against many cases.</p><//>`
      : html`<${Table} heads=${["Passed", "Judge run", "Language", "Points", "Started"]} items=${runs} row=${Row} />`} />`;
}
