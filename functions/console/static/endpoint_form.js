// Make an endpoint, and change one: all its settings. The server checks them, and names each wrong one.
import { call, newId } from "./api.js";
import { Component, html } from "./dom.js";
import { Copy, Problem } from "./parts.js";

const EVENTS = [
  ["submission.completed", "a run ended"],
  ["judge.completed", "a judge run ended"],
  ["check.state.changed", "the state of a check changed"],
  ["check.run.completed", "each run of a check"],
  ["check.run.missed", "each missed run of a check"],
  ["project.changed", "a request has changed the project"],
  ["endpoint.degraded", "another endpoint fails often"],
  ["endpoint.disabled", "another endpoint was disabled"],
  ["endpoint.recovered", "another endpoint recovered"],
  ["delivery.exhausted", "a delivery was given up"],
  ["delivery.blocked", "nothing was sent of a delivery"],
];
const KINDS = [
  ["run", "runs of clients"],
  ["judge", "judge runs of clients"],
  ["check", "every run of a check"],
];
const FORMATS = [
  ["event", "the event itself"],
  ["cloudevents", "CloudEvents, binary"],
  ["cloudevents_structured", "CloudEvents, structured"],
  ["slack", "a message for Slack"],
  ["discord", "a message for Discord"],
  ["teams", "a message for Teams"],
  ["pagerduty", "incidents of PagerDuty"],
  ["email", "a mail to mailto:you@…"],
];
const NEW = {
  url: "",
  description: "",
  events: [],
  kinds: ["run", "judge"],
  format: "event",
  routing_key: "",
  filters: { verdicts: [], languages: [], metadata: {} },
  headers: {},
  max_concurrency: 10,
  max_per_second: 0,
  max_output_bytes: 262_144,
  timeout_secs: 15,
  asymmetric: false,
  payload: "full",
  ordered: false,
};

const words = (text) => text.split(/[\s,]+/).filter(Boolean);
const lines = (pairs, between) =>
  Object.entries(pairs)
    .map(([name, value]) => name + between + value)
    .join("\n");

/** Lines such as `name: value` as an object; `before` if nobody changed them. Throws Error for a line without the sign. */
function pairs(what, text, between, before) {
  if (text === lines(before, between)) return before;
  const sign = between.trim();
  const given = text.split("\n").filter((line) => line.trim());
  return Object.fromEntries(
    given.map((line) => {
      const place = line.indexOf(sign);
      if (place < 1) throw new Error(`${what}: write name${between}value, one a line.`);
      return [line.slice(0, place).trim(), line.slice(place + 1).trim()];
    }),
  );
}

/** The settings as the API takes them. Throws Error as `pairs` does. */
function settings({ isNew, before, verdicts, languages, metadata, headers, routing_key: key, ...form }) {
  const ofRuns = pairs("Metadata", metadata, "=", before.filters.metadata);
  const numbers = ["max_concurrency", "max_per_second", "max_output_bytes", "timeout_secs"].map((name) => [name, Number(form[name])]);
  return {
    url: form.url.trim(),
    description: form.description,
    events: form.events,
    kinds: form.kinds,
    format: form.format,
    ...(form.format === "pagerduty" && { routing_key: key.trim() }),
    filters: { verdicts: words(verdicts), languages: words(languages), metadata: ofRuns },
    headers: pairs("Headers", headers, ": ", before.headers),
    ...Object.fromEntries(numbers),
    asymmetric: form.asymmetric,
    ...(isNew && { payload: form.payload, ordered: form.ordered }),
  };
}

function Ticks({ legend, all, chosen, change }) {
  const turn = (name) => chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name];
  return html`<fieldset class="ticks"><legend>${legend}</legend>${all.map(
    ([name, title]) => html`<label class="tick"><input type="checkbox" checked=${chosen.includes(name)}
      onChange=${() => change(turn(name))} /> ${title}</label>`,
  )}</fieldset>`;
}

export const Made = ({ made, children = "Created." }) => html`<div class="notice" role="status"><b>${children}</b> Keep its secret: it is shown this once.
  <p><code>${made.secret}</code> <${Copy} text=${made.secret} label="Copy the secret" /></p></div>`;

/** `endpoint`: the one to change; none: make one. `done(endpoint)` gets what came of it. */
export class EndpointForm extends Component {
  constructor(props) {
    super(props);
    const before = props.endpoint ?? NEW;
    const { filters, ...endpoint } = before;
    this.key = newId(); // a repeat after a lost answer makes no second endpoint
    this.state = {
      ...endpoint,
      before,
      isNew: !props.endpoint,
      routing_key: endpoint.routing_key ?? "",
      verdicts: filters.verdicts.join(", "),
      languages: filters.languages.join(", "),
      metadata: lines(filters.metadata, "="),
      headers: lines(endpoint.headers, ": "),
      error: null,
    };
  }

  set = (name) => (event) => this.setState({ [name]: event.target.value });

  tick = (name) => (event) => this.setState({ [name]: event.target.checked });

  save = async (event) => {
    event.preventDefault();
    const { endpoint, done } = this.props;
    try {
      const body = settings(this.state);
      const answer = endpoint
        ? await call("PATCH", `api/webhooks/${endpoint.id}`, { body })
        : await call("POST", "api/webhooks", { body, headers: { "idempotency-key": this.key } });
      this.key = newId();
      this.setState({ error: null });
      done(answer.body);
    } catch (error) {
      this.setState({ error });
    }
  };

  render(_, form) {
    const { isNew, format, error } = form;
    const field = (label, name, more = {}) =>
      html`<label class=${more.wide ? "grow" : ""}>${label} <input value=${form[name]} onInput=${this.set(name)} spellcheck=${false} ...${more.has} /></label>`;
    const number = (label, name, min, max) => field(label, name, { has: { type: "number", required: true, min, max } });
    return html`<form class="endpoint-form" onSubmit=${this.save}>
      <div class="row">
        ${field("URL of your receiver", "url", { wide: true, has: { type: "url", required: true, placeholder: "https://…" } })}
        ${field("Description", "description", { wide: true, has: { maxlength: 500 } })}
        <label>Sends <select value=${format} onChange=${this.set("format")}>
          ${FORMATS.map(([name, title]) => html`<option value=${name}>${title}</option>`)}</select></label>
        ${format === "pagerduty" && field("Integration key", "routing_key", { has: { required: true, autocomplete: "off" } })}
      </div>
      <${Ticks} legend="The ends of" all=${KINDS} chosen=${form.kinds} change=${(kinds) => this.setState({ kinds })} />
      <details><summary>More settings</summary><div class="more">
        <${Ticks} legend="Only these events; none: all but those of each check run and of changes" all=${EVENTS} chosen=${form.events}
          change=${(events) => this.setState({ events })} />
        <div class="row">
          ${field("Only verdicts", "verdicts", { has: { placeholder: "WA, TLE; empty: all" } })}
          ${field("Only languages", "languages", { has: { placeholder: "python, go; empty: all" } })}
          <label class="grow">Only metadata, name=value, one a line
            <textarea rows="2" value=${form.metadata} onInput=${this.set("metadata")} spellcheck=${false}></textarea></label>
          <label class="grow">Own headers, name: value, one a line; *** keeps a value
            <textarea rows="2" value=${form.headers} onInput=${this.set("headers")} spellcheck=${false}></textarea></label>
        </div>
        <div class="row">
          ${number("Requests at a time", "max_concurrency", 1, 20)}
          ${number("Requests a second; 0: no limit", "max_per_second", 0, 100)}
          ${number("Bytes of each output", "max_output_bytes", 0, 262_144)}
          ${number("Seconds to answer", "timeout_secs", 1, 15)}
          <label class="tick"><input type="checkbox" checked=${form.asymmetric} onChange=${this.tick("asymmetric")} /> Also sign with a key pair</label>
          ${
            isNew &&
            html`<label class="tick"><input type="checkbox" checked=${form.ordered} onChange=${this.tick("ordered")} /> In order, one at a time</label>
            <label class="tick"><input type="checkbox" checked=${form.payload === "thin"}
              onChange=${(event) => this.setState({ payload: event.target.checked ? "thin" : "full" })} /> Ids only, no output</label>`
          }
        </div>
      </div></details>
      ${error && html`<${Problem} error=${error} />`}
      <div class="row"><button class="primary">${isNew ? "Create" : "Save"}</button></div>
    </form>`;
  }
}
