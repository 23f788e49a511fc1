// What must hold for a run to pass: a row for each assertion, and a try on an output that a run has made.
import { get, getText, newId, poll, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Action, Foreign } from "./parts.js";
import { VERDICTS } from "./words.js";

const MOST_TRIED_CHARS = 262_144;

/** Kinds of assertions: title, and the operators with the form of each value. */
const KINDS = {
  verdict: ["Verdict", { equals: "verdict" }],
  exit_code: ["Exit code", { equals: "number" }],
  stdout: ["Output", { contains: "text", equals: "text", matches: "text" }],
  json: ["Value in JSON output", { equals: "json", less_than: "number", greater_than: "number", exists: "boolean" }],
  wall_time: ["Duration in seconds", { at_most_secs: "number" }],
  memory: ["Peak memory in MB", { at_most_mb: "number" }],
  stderr_empty: ["Standard error is empty", {}],
  same_as_last_good: ["Output is that of the last good run", {}],
  network: ["Failed connections", { allow_failed: "boolean" }],
};
const OPERATORS = {
  equals: "is",
  contains: "contains",
  matches: "matches (RE2)",
  less_than: "is less than",
  greater_than: "is greater than",
  exists: "exists",
  at_most_secs: "at most",
  at_most_mb: "at most",
  allow_failed: "are allowed",
};
const FIRST = { verdict: "AC", number: 0, text: "", json: 0, boolean: true };

const made = (type, operator) => ({
  type,
  ...(type === "json" && { path: "$" }),
  ...(operator && { [operator]: operator.startsWith("at_most") ? 1 : FIRST[KINDS[type][1][operator]] }),
});

const read = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return text; // a text without quotes means itself
  }
};

/** The value of one assertion, in a field of its form. `change(value)`. */
class Value extends Component {
  state = { text: JSON.stringify(this.props.value) };

  render({ form, value, change }, { text }) {
    const type = (event) => {
      this.setState({ text: event.target.value });
      change(read(event.target.value));
    };
    const options = form === "verdict" ? Object.keys(VERDICTS).map((code) => [code, code]) : [["true", "yes"], ["false", "no"]];
    if (form === "verdict" || form === "boolean") {
      return html`<label>Value <select value=${String(value)} onChange=${({ target }) => change(form === "boolean" ? target.value === "true" : target.value)}>
        ${options.map(([each, title]) => html`<option value=${each}>${title}</option>`)}</select></label>`;
    }
    if (form === "number") return html`<label>Value <input type="number" step="any" required value=${value} onInput=${({ target }) => change(target.valueAsNumber)} /></label>`;
    if (form === "json") return html`<label class="grow">Value, in JSON <input value=${text} onInput=${type} spellcheck=${false} /></label>`;
    return html`<label class="grow">Value <textarea rows="1" value=${value} onInput=${({ target }) => change(target.value)} spellcheck=${false}></textarea></label>`;
  }
}

function Row({ assertion, change, remove }) {
  const { type, path } = assertion;
  const operators = KINDS[type][1];
  const names = Object.keys(operators);
  const operator = names.find((name) => name in assertion);
  return html`<div class="row" role="group" aria-label=${KINDS[type][0]}>
    <label>What <select value=${type} onChange=${({ target }) => change(made(target.value, Object.keys(KINDS[target.value][1])[0]))}>
      ${Object.entries(KINDS).map(([name, [title]]) => html`<option value=${name}>${title}</option>`)}</select></label>
    ${type === "json" && html`<label>Path <input value=${path} onInput=${({ target }) => change({ ...assertion, path: target.value })} spellcheck=${false} /></label>`}
    ${
      names.length > 0 &&
      html`<label>How <select value=${operator} onChange=${({ target }) => change({ ...made(type, target.value), ...(path && { path }) })}>
      ${names.map((name) => html`<option value=${name}>${OPERATORS[name]}</option>`)}</select></label>`
    }
    ${operator && html`<${Value} key=${`${type} ${operator}`} form=${operators[operator]} value=${assertion[operator]} change=${(value) => change({ ...assertion, [operator]: value })} />`}
    <button type="button" class="small" onClick=${remove}>Remove</button></div>`;
}

/** The end of a run as the try takes it. Long outputs are cut there as here. */
async function outcomeOf(run) {
  const { result, metrics, output } = run;
  const whole = output.truncated_in_response ? await getText(`api/result/${run.id}/stdout`) : output.stdout;
  return {
    verdict: result.verdict,
    exit_code: result.exit_code,
    stdout: whole.slice(0, MOST_TRIED_CHARS),
    stderr: output.stderr.slice(0, MOST_TRIED_CHARS),
    wall_time_secs: metrics?.wall_time_secs ?? null,
    memory_peak_bytes: metrics?.memory_peak_bytes ?? null,
  };
}

const resultOf = (id) => poll(() => get(`api/result/${id}`, { wait: 10 }), (answer) => answer.result !== null, {});

/** `text`: the assertions in JSON, as the API has them. `change(text)`. `check`: the id of a check that has run, or null. `program()`: the request of one run. */
export class Assertions extends Component {
  state = { tried: null, source: "" };

  /** The last run of the check, or a run of the program as it stands in the form. */
  async lastRun() {
    const { check, program } = this.props;
    const { items } = check ? await get(`api/checks/${check}/runs`, { limit: 50 }) : { items: [] };
    const ended = items.filter((run) => run.submission_id && run.completed_at);
    const good = ended.find(({ status }) => status === "passed");
    if (ended.length > 0) {
      try {
        const last = await outcomeOf(await resultOf(ended[0].submission_id));
        return [last, good ? (await outcomeOf(await resultOf(good.submission_id))).stdout : null, "the last run"];
      } catch (error) {
        if (error.status !== 404) throw error; // past its retention
      }
    }
    const { id } = await post("api/submit", program(), { headers: { "idempotency-key": newId() } });
    return [await outcomeOf(await resultOf(id)), null, "a new run of this program"];
  }

  try = async () => {
    this.setState({ tried: null });
    const assertions = JSON.parse(this.props.text);
    const [outcome, good, source] = await this.lastRun();
    const body = { assertions, outcome, ...(good !== null && { last_good: good }) };
    this.setState({ tried: await post("api/checks/assertions/try", body), source });
  };

  render({ text, change }, { tried, source }) {
    const list = read(text);
    const isKnown = Array.isArray(list) && list.every((each) => Object.hasOwn(KINDS, each?.type ?? ""));
    const put = (items) => {
      change(JSON.stringify(items, null, 2));
      this.setState({ tried: null });
    };
    return html`<div class="assertion-rows">${
      isKnown &&
      html`${list.length === 0 && html`<p class="quiet">The verdict is AC: the program ends by itself, with exit code 0.</p>`}
        ${list.map(
          (each, place) => html`<${Row} key=${`${list.length} ${place}`} assertion=${each} change=${(one) => put(list.with(place, one))}
          remove=${() => put(list.filter((_, index) => index !== place))} />`,
        )}
        <button type="button" class="small" onClick=${() => put([...list, made("stdout", "contains")])}>Add an assertion</button>`
    }
      <${Action} kind="small" does=${this.try}>Try on the last output<//>
      ${
        tried &&
        html`<div role="status"><p class=${tried.passed ? "notice" : "warning"}>${tried.passed ? "It would pass" : "It would not pass"}, on ${source}.</p>
        <ul class="tried">${tried.assertions.map(
          (each) => html`<li class=${each.passed ? "holds" : ""}>${each.passed ? "holds" : "fails"}: <b><${Foreign} text=${each.assertion} /></b>
          ${!each.passed && html`<p>expected <${Foreign} text=${each.expected} />, got <${Foreign} text=${each.actual} /></p>`}</li>`,
        )}</ul></div>`
      }
      <details open=${!isKnown}><summary>As JSON</summary>
        <label>Assertions, in JSON; without one about the verdict, it must be AC
          <textarea rows="4" value=${text} onInput=${(event) => change(event.target.value)} spellcheck=${false}></textarea></label></details></div>`;
  }
}
