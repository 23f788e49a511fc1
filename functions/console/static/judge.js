// One judge run: its score, its cases as they end, and each case.
import { get, poll } from "./api.js";
import { Component, html } from "./dom.js";
import { Facts, Foreign, Loaded, metadataFacts, Output, Time, Title } from "./parts.js";
import { Badge, Evidence } from "./result.js";
import { bytes, causeSentence, plain, seconds, shortId } from "./words.js";

const TONES = { passed: "AC", partial: "slow", skipped: "open", judge_error: "IE" };
const tone = (outcome) => TONES[outcome] ?? "bad";
/** The outcome of a case. A hidden one says only whether it passed. */
const outcomeOf = ({ outcome, passed }) => outcome ?? (passed ? "passed" : "failed");

const isFinal = ({ status }) => status === "completed" || status === "error";

export default class Judge extends Component {
  load = (signal, show) =>
    poll(() => get(`api/judge/${this.props.id}`, { wait: 5 }, signal), isFinal, { signal, onAnswer: show });

  render({ id }) {
    return html`<p class="crumbs"><a href="#/runs">Runs</a></p>
      <h1 tabindex="-1">Judge run <code>${shortId(id)}</code></h1>
      <${Loaded} load=${this.load} what="the judge run" show=${(run) => html`<${Title} text=${`Judge run ${shortId(id)}: ${isFinal(run) ? `${run.passed} passed` : run.status}`} />
        <${Score} run=${run} />
        ${run.error_message && html`<p class="warning"><${Foreign} text=${run.error_message} /></p>`}
        ${run.compile?.stderr && html`<h3>Compiler</h3><${Output} text=${run.compile.stderr} label="Compiler" />`}
        <${Groups} groups=${run.groups ?? []} />
        <h2 class="after">Cases</h2>
        <${Grid} results=${run.results} />
        <ul class="cases">${run.results.map((each) => html`<${Case} key=${each.index} each=${each} />`)}</ul>
        <${Facts} facts=${[
          ["Language", run.language],
          ["Problem", run.problem],
          ["Started", html`<${Time} at=${run.timestamps.created_at} />`],
          ["Kept until", html`<${Time} at=${run.expires_at} />`],
          ...metadataFacts(run.metadata),
        ]} />
        ${run.evidence?.isolation && html`<${Evidence} evidence=${run.evidence} />`}`} />`;
  }
}

function Score({ run }) {
  if (!isFinal(run)) {
    return html`<div class="hero verdict-open" role="status"><span class="code">${run.finished}/${run.total}</span>
      <div><h2>${run.status}</h2><p>cases have ended</p></div></div>`;
  }
  const total = run.passed + run.failed + run.skipped + run.judge_errors;
  const rest = [
    ["failed", run.failed],
    ["skipped", run.skipped],
    ["judge errors", run.judge_errors],
  ].filter(([, count]) => count > 0);
  return html`<div class=${`hero verdict-${run.all_passed ? "AC" : "bad"}`} role="status"><span class="code">${run.passed}/${total}</span>
    <div><h2>${run.all_passed ? "All cases passed" : `${run.passed} of ${total} cases passed`}</h2>
      <p>${run.score} of ${run.max_score} points</p><p class="quiet">${rest.map(([name, count]) => `${count} ${name}`).join(" · ")}</p></div></div>`;
}

function Groups({ groups }) {
  if (groups.length === 0) return null;
  return html`<h2 class="after">Groups</h2><ul class="row">${groups.map(
    (group) => html`<li>
    <span class=${`badge verdict-${tone(group.outcome)}`}>${group.points}/${group.max_points}</span>${" "}
    <${Foreign} text=${group.id} /> <span class="quiet">${plain(group.outcome)}</span></li>`,
  )}</ul>`;
}

/** All cases at a glance; each square leads to its case. */
function Grid({ results }) {
  return html`<ol class="grid">${results.map(
    (each) => html`<li>
    <a class=${`verdict-${tone(outcomeOf(each))}`} href=${`#case-${each.index}`} onClick=${(event) => open(event, each.index)}
      aria-label=${`Case ${each.index + 1}: ${plain(outcomeOf(each))}`}>${each.index + 1}</a></li>`,
  )}</ol>`;
}

function open(event, index) {
  event.preventDefault();
  const details = document.getElementById(`case-${index}`);
  details.open = true;
  details.scrollIntoView({ block: "nearest" });
  details.querySelector("summary").focus();
}

function measures({ wall_time_secs: secs, memory_peak_bytes: peak, points, max_points: most }) {
  const known = [
    secs !== null && seconds(secs),
    peak !== null && bytes(peak),
    most !== null && `${points} of ${most} points`,
  ];
  return known.filter(Boolean).join(" · ");
}

function Case({ each }) {
  const outcome = outcomeOf(each);
  return html`<li><details id=${`case-${each.index}`}><summary>
      <span class=${`badge verdict-${tone(outcome)}`}>${plain(outcome)}</span>
      <b>Case ${each.index + 1}${each.id && html`, <${Foreign} text=${each.id} />`}</b>
      <span class="quiet">${measures(each)}</span></summary>
    ${
      each.visibility === "hidden"
        ? html`<p class="quiet">This case is hidden: only whether it passed is shown.</p>`
        : html`
      ${each.verdict && html`<p><${Badge} verdict=${each.verdict} /> ${each.cause && causeSentence(each.cause)}</p>`}
      ${each.team_message && html`<p>For the contestant: <${Foreign} text=${each.team_message} /></p>`}
      ${each.checker_message && html`<p>The checker says: <${Foreign} text=${each.checker_message} /></p>`}
      <h3>Standard output</h3><${Output} text=${each.stdout} label=${`Output of case ${each.index + 1}`} empty="Nothing to show." />
      ${each.stderr && html`<h3>Standard error</h3><${Output} text=${each.stderr} label=${`Errors of case ${each.index + 1}`} />`}`
    }
  </details></li>`;
}
