// One check: its state, its runs, what failed, and its last good output against the failing one.
import { get, getText, post, ROOT } from "./api.js";
import { Calls } from "./calls.js";
import { CheckForm } from "./check_form.js";
import { difference } from "./difference.js";
import { Component, html } from "./dom.js";
import { Action, Confirmed, Copied, Copy, Facts, Foreign, Loaded, Output, Sentence, Table, Time, Title } from "./parts.js";
import { PingUrl } from "./ping_url.js";
import { Badge } from "./result.js";
import { Durations } from "./durations.js";
import { Sparkline } from "./sparkline.js";
import { Uptime } from "./uptime.js";
import { Verification } from "./verification.js";
import { seconds, shortId } from "./words.js";

const TONES = { up: "AC", failing: "bad", late: "bad", error: "MLE", flaky: "slow", new: "open", paused: "open" };
const RUN_TONES = { passed: "AC", failed: "bad", flaky: "slow", error: "MLE" };

export const State = ({ state }) => html`<span class=${`badge verdict-${TONES[state]}`}>${state}</span>`;

/** One check, its runs, and the outputs of the newest failing and the newest good run. */
async function detail(id, signal) {
  const [check, { items: runs }, calls, outages] = await Promise.all([
    get(`api/checks/${id}`, {}, signal),
    get(`api/checks/${id}/runs`, { limit: 50 }, signal),
    get(`api/checks/${id}/calls`, {}, signal),
    get(`api/checks/${id}/outages`, {}, signal),
  ]);
  const newest = runs.find(({ status }) => status in RUN_TONES);
  const good = runs.find(({ status, submission_id: submission }) => status === "passed" && submission);
  const output = async (run) => {
    if (!run?.submission_id) return null;
    try {
      return (await get(`api/result/${run.submission_id}`, {}, signal)).output?.stdout ?? null;
    } catch (error) {
      if (error.status === 404) return null; // past its retention
      throw error;
    }
  };
  const isFailing = newest && newest.status !== "passed";
  return {
    check,
    runs,
    calls,
    outages,
    newest,
    good,
    goodOutput: await output(good),
    failingOutput: isFailing ? await output(newest) : null,
  };
}

/** The form for one check. */
export function EditedCheck({ id }) {
  return html`<p class="crumbs"><a href=${`#/checks/${id}`}>Check</a></p><h1 tabindex="-1">Change the check</h1><${Title} text="Change the check" />
    <${Loaded} what="the check" load=${(signal) => get(`api/checks/${id}`, {}, signal)} show=${(check) =>
      html`<${CheckForm} check=${check} done=${() => location.assign(`#/checks/${id}`)} />`} />`;
}

export class Check extends Component {
  state = { url: null };

  act = (verb, reload) => async () => {
    await post(`api/checks/${this.props.id}/${verb}`, {});
    setTimeout(reload, 1500);
  };

  renew = async () => {
    this.setState(await post(`api/checks/${this.props.id}/ping-url`, {}));
  };

  render({ id }, { url }) {
    return html`<p class="crumbs"><a href="#/checks">Checks</a></p><h1 tabindex="-1">Check</h1>
      <${Loaded} what="the check" everySecs=${30} load=${(signal) => detail(id, signal)} show=${(data, reload) => html`<${Title} text=${`${data.check.name}: ${data.check.state}`} />
        <${Standing} check=${data.check} />
        <div class="row after">${
          data.check.kind === "heartbeat"
            ? html`<${Confirmed} label="Replace the ping address" does=${this.renew}>
                <p>Pings to the old address are refused at once. The new one is shown once.</p><//>`
            : html`<${Action} does=${this.act("run", reload)} kind="primary">Run now<//>`
        }
          ${
            data.check.state === "paused"
              ? html`<${Action} does=${this.act("resume", reload)}>Resume<//>`
              : html`<${Action} does=${this.act("pause", reload)}>Pause<//>`
          }
          <a class="button" href=${`#/checks/${id}?edit=1`}>Change</a>
          <${Sparkline} runs=${data.runs} /><${Badged} check=${data.check} /></div>
        ${url && html`<${PingUrl} url=${url} />`}
        <${Figures} check=${data.check} />
        ${data.runs.length > 0 && html`<${Uptime} outages=${data.outages} />`}
        <${Durations} runs=${data.runs} />
        <${Outputs} ...${data} />
        <h2 class="after">${data.check.kind === "heartbeat" ? "Pings" : "Runs"}</h2>
        <${History} check=${data.check} runs=${data.runs} />
        <${Calls} calls=${data.calls} />
        ${data.check.kind === "program" && html`<${Verification} id=${id} verify=${data.calls.verification?.verify} />`}`} />`;
  }
}

/** The badge that everybody may see, as Markdown to copy. */
function Badged({ check }) {
  const address = new URL(check.badge_url.slice(1), ROOT).href;
  return html`<img class="badge-picture" src=${address} alt=${`Badge: ${check.state}`} />
    <${Copy} text=${`![${check.slug}](${address})`} label="Copy the badge" />`;
}

function Standing({ check }) {
  return html`<div class=${`hero word verdict-${TONES[check.state]}`}><span class="code">${check.state}</span>
    <div><h2><${Foreign} text=${check.name} /></h2>
      <p>${check.state_since && html`since <${Time} at=${check.state_since} />`}</p></div></div>`;
}

const quietText = ({ schedule, minutes, timezone }) => `${schedule} ${timezone} for ${minutes} min`;

/** How calls with one key run. */
const groupText = ({ key, debounce_secs: quiet, most_secs: most = 900, at_most: count = 1 }) =>
  `${quiet ? `one run ${quiet} s after the last call, ${most} s after the first` : "in order"}, ${count} at a time${key ? ` for each ${key}` : ""}`;

const share = (value) => (value === null || value === undefined ? null : `${(value * 100).toFixed(2)} %`);

function Figures({ check }) {
  const { statistics } = check;
  return html`<${Facts} facts=${[
    ["Id", html`<${Copied} text=${check.id} of="the id" />`],
    ["Schedule", check.schedule && html`<code>${check.schedule}</code> ${check.timezone}`],
    [
      check.kind === "heartbeat" ? "Late without a ping" : "Next run",
      check.next_runs[0] && html`<${Time} at=${check.next_runs[0]} />`,
    ],
    ["Grace", check.kind === "heartbeat" && `${check.grace_minutes} min`],
    ["Quiet times", check.quiet.map(quietText).join("; ")],
    ["Muted until", check.muted_until && html`<${Time} at=${check.muted_until} />`],
    ["Tags", check.tags.join(", ")],
    ["Events", check.events.join(", ")],
    ["Match", Object.entries(check.match).map(([path, value]) => `${path} is ${JSON.stringify(value)}`).join("; ")],
    ["Calls run", check.group && html`<${Foreign} text=${groupText(check.group)} />`],
    ["Runbook", check.runbook_url && html`<a href=${check.runbook_url} rel="noreferrer"><${Foreign} text=${check.runbook_url} /></a>`],
    ["Language", check.language],
    ["May reach", check.network && html`<${Foreign} text=${check.network.allow.join(", ")} />`],
    ["Runs that passed, 7 days", share(statistics?.uptime_7d)],
    ["Runs that passed, 30 days", share(statistics?.uptime_30d)],
    ["Wall time p50", statistics?.p50_wall_secs && seconds(statistics.p50_wall_secs)],
    ["Wall time p95", statistics?.p95_wall_secs && seconds(statistics.p95_wall_secs)],
  ]} />`;
}

function Outputs({ newest, goodOutput, failingOutput }) {
  const failed = newest?.assertions.filter(({ passed }) => !passed) ?? [];
  return html`
    ${failed.length > 0 && html`<h2 class="after">What failed</h2><ul class="assertions">${failed.map(Assertion)}</ul>`}
    ${
      failingOutput !== null &&
      goodOutput !== null &&
      html`
      <h2 class="after">Last good output against the failing one</h2>
      <${Difference} before=${goodOutput} after=${failingOutput} />`
    }
    ${
      failingOutput !== null &&
      goodOutput === null &&
      html`
      <h2 class="after">Failing output</h2><${Output} text=${failingOutput} label="Failing output" />`
    }
    ${
      failingOutput === null &&
      goodOutput !== null &&
      html`
      <h2 class="after">Last good output</h2><${Output} text=${goodOutput} label="Last good output" />`
    }`;
}

function Assertion({ assertion, expected, actual }) {
  return html`<li><b><${Foreign} text=${assertion} /></b><dl>
    <dt>expected</dt><dd><${Foreign} text=${expected} /></dd>
    <dt>got</dt><dd><${Foreign} text=${actual} /></dd></dl></li>`;
}

const SIGNS = { same: " ", gone: "-", new: "+" };

function Difference({ before, after }) {
  const lines = difference(before, after);
  return html`<p class="quiet">- only in the last good output, + only in the failing one</p>
    <pre class="output diff" tabindex="0" role="region" aria-label="Difference">${lines.map(
      ([kind, line]) => html`<span class=${`line-${kind}`}>${SIGNS[kind]} <${Foreign} text=${line} />${"\n"}</span>`,
    )}</pre>`;
}

function History({ check, runs }) {
  const isHeartbeat = check.kind === "heartbeat";
  if (runs.length === 0) return html`<p class="quiet">${isHeartbeat ? "No pings yet." : "No runs yet."}</p>`;
  const heads = isHeartbeat
    ? ["End", "Started by", "Body", "Time", "At"]
    : ["End", "Started by", "Run", "Verdict", "Time", "Scheduled"];
  return html`<${Table} heads=${heads} items=${runs} row=${(run) => Row(run, isHeartbeat)} />`;
}

const STARTERS = { scheduled: "schedule", manual: "request", event: "event" };

/** What started a run, and the reason that its row has, which may name an id. */
function StartedBy({ run, isHeartbeat }) {
  const starter = isHeartbeat && run.kind === "event" ? "ping" : STARTERS[run.kind];
  return html`${starter}${run.reason && html`<span class="quiet"> · <${Sentence} text=${run.reason} /></span>`}`;
}

class Body extends Component {
  state = { text: null };

  show = async () => this.setState({ text: await getText(this.props.url.slice(1)) });

  render(_, { text }) {
    return text === null
      ? html`<${Action} kind="small" does=${this.show}>Show<//>`
      : html`<${Output} text=${text} label="Body of the ping" />`;
  }
}

function Row(run, isHeartbeat) {
  const submission = run.submission_id;
  return html`<tr key=${run.id}>
    <td><span class=${`badge verdict-${RUN_TONES[run.status] ?? "open"}`}>${run.status}</span></td>
    <td><${StartedBy} run=${run} isHeartbeat=${isHeartbeat} /></td>
    <td>${submission && html`<a href=${`#/runs/${submission}`}><code>${shortId(submission)}</code></a>`}
      ${run.body_url && html`<${Body} url=${run.body_url} />`}</td>
    ${!isHeartbeat && html`<td>${run.verdict && html`<${Badge} verdict=${run.verdict} />`}</td>`}
    <td data-name="time">${run.wall_time_secs !== null && seconds(run.wall_time_secs)}</td>
    <td class="end"><${Time} at=${run.scheduled_at} /></td>
  </tr>`;
}
