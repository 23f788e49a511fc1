// The transform of an endpoint: its program, and an event beside what the program makes of it.
import { call, get, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Action, Loaded, Output, Problem } from "./parts.js";

const SAMPLES = ["submission.completed", "judge.completed", "check.state.changed", "endpoint.disabled", "delivery.exhausted", "webhook.test"];

function Result({ tested }) {
  const headers = Object.entries(tested.headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
  const said = tested.error ? `Failed (${tested.verdict}): nothing would be sent.` : tested.skip ? "It skips this event." : "This body would be sent.";
  return html`<div class="sheet" role="status"><p>${said}</p>
    <div class="row">
      <div class="grow"><h3>Event</h3><${Output} text=${JSON.stringify(tested.event, null, 2)} label="Event" /></div>
      <div class="grow"><h3>Result</h3><${Output} text=${tested.error ?? tested.body ?? ""} label="Result" empty="Nothing." />
        ${headers && html`<h3>Headers</h3><${Output} text=${headers} label="Headers" />`}
        ${tested.stderr && html`<h3>Standard error</h3><${Output} text=${tested.stderr} label="Standard error" />`}</div>
    </div></div>`;
}

/** `endpoint`: the one to change. `done()` is called after a change. */
export class TransformEditor extends Component {
  constructor(props) {
    super(props);
    const { language, code } = props.endpoint.transform ?? { language: "python", code: "" };
    this.state = { language, code, event: SAMPLES[0], tested: null, error: null };
  }

  set = (name) => (event) => this.setState({ [name]: event.target.value });

  attempt = async (act) => {
    try {
      await act();
      this.setState({ error: null });
    } catch (error) {
      this.setState({ error });
    }
  };

  try = () =>
    this.attempt(async () => {
      const { language, code, event } = this.state;
      const chosen = event.includes(".") ? { type: event } : { event_id: event.trim() };
      const path = `api/webhooks/${this.props.endpoint.id}/transform/test`;
      this.setState({ tested: await post(path, { transform: { language, code }, ...chosen }) });
    });

  save = (transform) =>
    this.attempt(async () => {
      await call("PATCH", `api/webhooks/${this.props.endpoint.id}`, { body: { transform } });
      this.props.done();
    });

  render({ endpoint }, { language, code, event, tested, error }) {
    return html`<p>It reads an event, and prints <code>{"body": …, "headers": {…}}</code>, <code>{"skip": true}</code> or the body itself.</p>
      <${Loaded} what="the templates" load=${(signal) => get("api/webhooks/transform/templates", {}, signal)} show=${({ items }) => html`
        <div class="row">${items.map(
          (each) => html`<button type="button" title=${each.description}
            onClick=${() => this.setState({ code: each.code, language: each.language })}>Begin with ${each.name}</button>`,
        )}</div>`} />
      <div class="row"><label>Language <input value=${language} onInput=${this.set("language")} spellcheck=${false} /></label>
        <label>Event: a type, or the id of one <input list="events-to-try" value=${event} onInput=${this.set("event")} spellcheck=${false} /></label>
        <datalist id="events-to-try">${SAMPLES.map((each) => html`<option value=${each}></option>`)}</datalist></div>
      <label class="grow">Program <textarea rows="14" value=${code} onInput=${this.set("code")} spellcheck=${false}></textarea></label>
      <div class="row"><${Action} does=${this.try} kind="primary">Try<//>
        <${Action} does=${() => this.save({ language, code })}>Save the transform<//>
        ${endpoint.transform && html`<${Action} does=${() => this.save({})}>Remove it<//>`}</div>
      ${error && html`<${Problem} error=${error} />`}
      ${tested && html`<${Result} tested=${tested} />`}`;
  }
}
