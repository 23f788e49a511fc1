// One result: the verdict first, then times, memory, output and evidence.
import { Artifacts } from "./artifacts.js";
import { html } from "./dom.js";
import { describeControl } from "./controls.js";
import { Facts, Foreign, Help, Output } from "./parts.js";
import { ACTORS, bytes, causeSentence, duration, INTEGRITY, plain, seconds, VERDICTS, verdictTitle } from "./words.js";

const STEPS = [
  ["queue_ms", "Waited"],
  ["setup_ms", "Set up"],
  ["compile_ms", "Compiled"],
  ["run_ms", "Ran"],
];

export function Badge({ verdict, status }) {
  const code = verdict ?? status;
  return html`<span class=${`badge verdict-${verdict ?? "open"}`} title=${verdict ? verdictTitle({ verdict }) : status}>${code}</span>`;
}

function Times({ metrics }) {
  const steps = STEPS.filter(([name]) => metrics[name] !== null && metrics[name] !== undefined);
  return html`<section class="times" aria-label="Times">
    <div class="bar" aria-hidden="true">${steps.map(
      ([name]) => html`<span class=${`step-${name}`} style=${{ flexGrow: Math.max(metrics[name], 0.01) }}></span>`,
    )}</div>
    <ul>${steps.map(([name, title]) => html`<li><span class=${`dot step-${name}`} aria-hidden="true"></span>${title} <b>${duration(metrics[name])}</b></li>`)}</ul>
  </section>`;
}

function Memory({ metrics, limitBytes }) {
  const share = limitBytes ? Math.min(1, metrics.memory_peak_bytes / limitBytes) : 0;
  return html`<div class="memory"><span>Memory <b>${bytes(metrics.memory_peak_bytes)}</b>
      ${limitBytes > 0 && ` of ${bytes(limitBytes)}`}</span>
    <span class="bar" aria-hidden="true"><span class=${share > 0.9 ? "full" : ""} style=${{ width: `${share * 100}%` }}></span></span>
  </div>`;
}

function Connection({ one }) {
  return html`<li class=${one.first_error ? "warning" : ""}><b><${Foreign} text=${`${one.name}:${one.port}`} /></b>
    <code>${one.address ?? "no address"}</code>
    <p>${one.connections} ${one.connections === 1 ? "connection" : "connections"}, ${bytes(one.bytes_sent)} sent,${" "}
      ${bytes(one.bytes_received)} received. ${one.first_error && html`<${Foreign} text=${one.first_error} />`}</p></li>`;
}

function Refused({ one }) {
  const target = `${one.name ?? one.address}${one.port ? `:${one.port}` : ""}`;
  return html`<li class="warning"><b>Refused: <${Foreign} text=${target} /></b>
    <p>${one.times} ${one.times === 1 ? "time" : "times"}${one.reason && ": "}<${Foreign} text=${one.reason ?? ""} /></p></li>`;
}

function Secret({ one }) {
  return html`<li class=${one.first_error ? "warning" : ""}><b>Secret ${one.name}</b> <code><${Foreign} text=${one.host} /></code>
    <p>${one.requests} ${one.requests === 1 ? "request" : "requests"}, ${one.refused} refused, last status ${one.last_status ?? "none"}.${" "}
      ${one.first_error && html`<${Foreign} text=${one.first_error} />`}</p></li>`;
}

/** The hosts that a program reached, and those that it may not reach. */
function Network({ network = [], refused = [], secrets = [] }) {
  return html`<section class="network" aria-label="Network"><h3>Network</h3>
    ${network.length + refused.length === 0 && html`<p class="quiet">The program opened no connection.</p>`}
    <ul class="controls">${network.map((one) => html`<${Connection} one=${one} />`)}
      ${secrets.map((one) => html`<${Secret} one=${one} />`)}
      ${refused.map((one) => html`<${Refused} one=${one} />`)}</ul></section>`;
}

export function Evidence({ evidence }) {
  const { mode, controls_applied: applied, controls_missing: missing } = evidence.isolation;
  return html`<details class="evidence">
    <summary>Evidence: ${applied.length} controls in force, isolation ${mode}</summary>
    <p class="quiet">Each control was measured on the program's own process, in this run.</p>
    <${Help} title="What is this for?"><p>A control limits what a program can do to the host and to others, such as a view of the file system of its own. A sandbox that only
      means to have them may run without one. So the service reads them back from the kernel for each run, and keeps what it read with the result.</p><//>
    ${missing.length > 0 && html`<p class="warning">Missing on this host: ${missing.map((name) => describeControl(name)[0]).join(", ")}.</p>`}
    <ul class="controls">${applied.map((name) => {
      const [title, sentence] = describeControl(name, Boolean(evidence.network));
      return html`<li><b>${title}</b><code>${name}</code><p>${sentence}</p></li>`;
    })}</ul>
    <${Facts} facts=${[
      ["Out-of-memory kills", evidence.cgroup?.oom_kill_events],
      ["Process limit", evidence.cgroup?.process_limit],
      ["CPU time", duration(evidence.timing?.cpu_ms)],
      ["CPU against wall time", `${evidence.timing?.cpu_wall_ratio} (${plain(evidence.timing?.divergence)})`],
      ["Processes left", evidence.process_lifecycle?.zombie_count],
      ["Containment", evidence.process_lifecycle?.descendant_containment],
      ["Cleaned up", evidence.teardown?.cleanup_verified ? "yes" : "no"],
      ["Limits by", plain(evidence.limits?.cgroup_backend)],
    ]} />
  </details>`;
}

function Verdict({ body }) {
  const { result, metrics } = body;
  const verdict = result.verdict;
  const title = verdictTitle(result);
  const end = result.signal ? `signal ${result.signal}` : result.exit_code !== null && `exit code ${result.exit_code}`;
  const facts = [
    metrics && seconds(metrics.wall_time_secs),
    end,
    result.actor && `decided by ${ACTORS[result.actor] ?? result.actor}`,
  ];
  return html`<div class=${`hero verdict-${verdict}`} role="status">
    <span class="code" aria-hidden="true">${verdict}</span>
    <div><h2>${title}</h2><p>${causeSentence(result.cause)}</p><p class="quiet">${facts.filter(Boolean).join(" · ")}</p></div>
  </div>`;
}

/** A final result object of the API. */
export function Result({ body }) {
  const { output, metrics, evidence, result } = body;
  const integrity = INTEGRITY[output.integrity];
  const hasRun = metrics?.run_ms !== null && result.cause !== "cancelled_before_start";
  return html`<div class="result">
    <${Verdict} body=${body} />
    ${result.error_message && verdictTitle(result) === VERDICTS[result.verdict] && html`<p class="warning"><${Foreign} text=${result.error_message} /></p>`}
    ${
      metrics &&
      html`<${Times} metrics=${metrics} />
      <${Memory} metrics=${metrics} limitBytes=${evidence?.cgroup?.memory_limit_bytes} />`
    }
    ${integrity && html`<p class="warning">${integrity}</p>`}
    ${
      output.truncated_in_response &&
      html`<p class="warning">This is the beginning. The whole output is at
      <code>api/result/${body.id}/stdout</code>.</p>`
    }
    <h3>Standard output</h3>
    <${Output} text=${output.stdout} label="Standard output" empty=${hasRun ? "The program wrote nothing." : "The program did not run."} />
    ${output.stderr && html`<h3>Standard error</h3><${Output} text=${output.stderr} label="Standard error" />`}
    ${body.artifacts && html`<${Artifacts} body=${body} />`}
    ${body.compile?.stderr && html`<h3>Compiler warnings</h3><${Output} text=${body.compile.stderr} label="Compiler warnings" />`}
    ${evidence?.network && html`<${Network} network=${evidence.network} refused=${evidence.refused} secrets=${evidence.secrets} />`}
    ${evidence?.isolation && html`<${Evidence} evidence=${evidence} />`}
  </div>`;
}
