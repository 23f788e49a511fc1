// Runs: the list with filters, and one run with its timeline.
import { get, poll, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Find } from "./find.js";
import { Timeline } from "./timeline.js";
import { Filter, Pages, TextFilter, TimeFilter } from "./list.js";
import { LiveOutput } from "./live_output.js";
import { Action, Copy, Facts, Foreign, Loaded, metadataFacts, Time, Title } from "./parts.js";
import { Program } from "./program.js";
import { Badge, Result } from "./result.js";
import { SAMPLES } from "./languages.js";
import { bytes, countsToday, localDay, seconds, shortId, sum, VERDICTS, verdictTitle, waitingText } from "./words.js";

const STATUSES = ["pending", "running", "completed", "error"];
const METADATA_CHARS = 80;

/** The link of a row, the first line of the error or output, and metadata that is short. */
function Said({ run, view, children }) {
  const marks = Object.entries(run.metadata).map(([name, value]) => `${name}=${value}`).join(" ");
  return html`<td class="said"><a href=${`#/${view}/${run.id}`}><code>${shortId(run.id)}</code><span class="sr">, ${run.status}</span></a>${children}
    ${run.line && html`<div class="line"><${Foreign} text=${run.line} /></div>`}
    ${marks && marks.length <= METADATA_CHARS && html`<div class="quiet line"><${Foreign} text=${marks} /></div>`}</td>`;
}

function JudgeRow(run) {
  const tone = run.passed === undefined ? "open" : run.passed === run.cases ? "AC" : "bad";
  const points = run.score === undefined ? null : `${run.score} of ${run.max_score} points`;
  return html`<tr key=${run.id}>
    <td><span class=${`badge verdict-${tone}`}>${run.passed === undefined ? run.status : `${run.passed}/${run.cases}`}</span></td>
    <${Said} run=${run} view="judge"> judge run<//>
    <td>${run.language}</td>
    <td>${points}</td>
    <td></td>
    <td data-name="from">${run.source}</td>
    <td class="end"><${Time} at=${run.timestamps.created_at} /></td>
  </tr>`;
}

function Row(run) {
  if (run.kind === "judge") return JudgeRow(run);
  return html`<tr key=${run.id}>
    <td><${Badge} verdict=${run.verdict} status=${run.status} /></td>
    <${Said} run=${run} view="runs" />
    <td>${run.language}</td>
    <td data-name="time">${seconds(run.wall_time_secs)}</td>
    <td data-name="memory">${bytes(run.memory_peak_bytes)}</td>
    <td data-name="from">${run.source}</td>
    <td class="end"><${Time} at=${run.timestamps.created_at} /></td>
  </tr>`;
}

const FILTERS = ["status", "verdict", "language", "kind", "since", "until", "metadata", "q"];

class List extends Component {
  state = { totals: {} };

  componentDidMount() {
    get("api/overview").then(
      ({ hours }) => this.setState({ totals: { [localDay(Date.now())]: sum(countsToday(hours)) } }),
      () => {}, // the list goes without it
    );
  }

  render({ query }, { totals }) {
    const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name)]));
    return html`<h1 tabindex="-1">Runs</h1><${Find} isFirst=${query.has("find")} />
      <div class="row filters" role="group" aria-label="Filters">
        <${Filter} name="verdict" title="Verdict" values=${Object.keys(VERDICTS)} query=${query} />
        <${Filter} name="status" title="Status" values=${STATUSES} query=${query} />
        <${Filter} name="language" title="Language" values=${Object.keys(SAMPLES)} query=${query} />
        <${Filter} name="kind" title="Kind" values=${["run", "judge"]} query=${query} />
        <${TimeFilter} name="since" title="From" query=${query} />
        <${TimeFilter} name="until" title="Until" query=${query} />
        <${TextFilter} name="q" title="Text" hint="line, id, metadata" query=${query} />
        <${TextFilter} name="metadata" title="Metadata" hint="build=1042" query=${query} />
      </div>
      <${Pages} path="api/results" filters=${filters} what="runs" row=${Row}
        heads=${["Verdict", "Run", "Language", "Time or points", "Memory", "Source", "Created"]}
        timeOf=${(run) => run.timestamps.created_at} totals=${Object.values(filters).some(Boolean) ? null : totals} isMoving=${(run) => run.status === "pending" || run.status === "running"}
        empty=${{ title: "No such runs", hint: html`<p>Change the filters, or <a href="#/run">run a program</a>.</p>` }} />
      <p class="after"><a href="#/problems">Problems that this project keeps</a></p>`;
  }
}

class One extends Component {
  load = (signal, show) =>
    poll(
      () => get(`api/result/${this.props.id}`, { wait: 10 }, signal),
      (run) => run.result !== null,
      { signal, onAnswer: show },
    );

  render({ id }) {
    return html`<p class="crumbs"><a href="#/runs">Runs</a></p>
      <h1 tabindex="-1">Run <code>${shortId(id)}</code></h1>
      <${Loaded} load=${this.load} what="the run" show=${(run) => html`<${Title} text=${titleOf(run)} /><div class="two">
        <div>${
          run.result
            ? html`<${Result} body=${run} />`
            : html`<div class="hero verdict-open" role="status">
              <span class="code" aria-hidden="true">···</span><div><h2>${run.status}</h2><p>${waitingText(run)}</p></div></div>
              <${Action} does=${() => post(`api/result/${id}/cancel`)}>Stop<//>
              <${LiveOutput} id=${id} />`
        }<${Program} id=${id} /></div>
        <div><h2>Timeline</h2><${Timeline} run=${run} key=${run.status} />
          <h2 class="after">Details</h2><${Details} run=${run} /></div>
      </div>`} />`;
  }
}

const titleOf = ({ id, result, status }) => `Run ${shortId(id)}: ${result ? verdictTitle(result) : status}`;

function Details({ run }) {
  return html`<${Facts} facts=${[
    ["Id", html`<code>${run.id}</code> <${Copy} text=${run.id} label="Copy the id" />`],
    ["Language", run.language],
    ["Profile", run.profile],
    ["Kept until", html`<${Time} at=${run.expires_at} />`],
    ...metadataFacts(run.metadata),
  ]} />`;
}

export default function Runs({ id, query }) {
  return id ? html`<${One} id=${id} />` : html`<${List} query=${query} />`;
}
