// One endpoint: its health and settings, a test send, recovery, and its deliveries.
import { call, get, post } from "./api.js";
import { DeliveryChart } from "./delivery_chart.js";
import { DeliveryPages } from "./delivery_list.js";
import { Component, html } from "./dom.js";
import { EndpointForm, Made } from "./endpoint_form.js";
import { whyFailed } from "./failures.js";
import { Action, Confirmed, Copied, Copy, Facts, Foreign, Loaded, Output, Sentence, Time, Title } from "./parts.js";
import { TransformEditor } from "./transform.js";
import { duration, plain } from "./words.js";

const SPANS = [
  ["1", "1 hour"],
  ["24", "24 hours"],
  ["168", "7 days"],
  ["335", "14 days"],
];
const TONES = { active: "AC", degraded: "slow", disabled: "bad" };

export const Health = ({ health }) => html`<span class=${`badge verdict-${TONES[health]}`}>${health}</span>`;

/** A success rate in words. */
export function rate(window) {
  if (!window?.attempts) return "no attempts";
  return `${Math.round(window.success_rate * 100)} % of ${window.attempts}`;
}

/** The answer of a test send: what was sent, what was signed, and what came back. */
function TestSend({ sent }) {
  const { delivered, request, signed_content: signed, response } = sent;
  const headers = Object.entries(request.headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join("\n");
  return html`<div class="sheet" role="status">
    <div class=${`hero small verdict-${delivered ? "AC" : "bad"}`}><span class="code">${response.status_code ?? "—"}</span>
      <div><h2>${delivered ? "The receiver accepted the test" : "The test failed"}</h2>
        <p>${whyFailed(response) ?? `It answered in ${duration(response.latency_ms)}.`}</p></div></div>
    <h3>Answer</h3><${Output} text=${response.head} label="Answer" empty="The answer has no body." />
    <h3>Request headers</h3><${Output} text=${headers} label="Request headers" />
    <h3>Signed text</h3><p class="quiet">HMAC-SHA256 of exactly this text, with the secret, is the signature.</p>
    <${Output} text=${signed} label="Signed text" />
  </div>`;
}

const OVERLAPS = [
  ["86400", "24 hours"],
  ["604800", "7 days"],
  ["0", "no time: at once"],
];

/** A secret of the client, so that a repeat after a lost answer replaces no secret twice. */
const newSecret = () => `whsec_${btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`;

class Rotation extends Component {
  state = { overlap: OVERLAPS[0][0] };
  secret = newSecret();

  rotate = async () => {
    const { id } = this.props.endpoint;
    const body = { overlap_secs: Number(this.state.overlap), secret: this.secret };
    this.props.done(await post(`api/webhooks/${id}/rotate`, body));
  };

  render(_, { overlap }) {
    return html`<${Confirmed} label="Replace the secret" does=${this.rotate}>
      <p>Deliveries are signed with a new secret, which is shown once.</p>
      <label>The old one also signs for <select value=${overlap} onChange=${(event) => this.setState({ overlap: event.target.value })}>
        ${OVERLAPS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label><//>`;
  }
}

class Recover extends Component {
  state = { hours: "24", said: "" };

  recover = async () => {
    let since = new Date(Date.now() - Number(this.state.hours) * 3_600_000).toISOString();
    let count = 0;
    for (let round = 0; round < 20; round += 1) {
      const answer = await post(`api/webhooks/${this.props.id}/recover`, { since });
      count += answer.recovered;
      this.setState({ said: `${count} deliveries are sent again${answer.complete ? "." : ", more follow…"}` });
      if (answer.complete) break;
      since = answer.continue_since;
    }
    this.props.done();
  };

  render(_, { hours, said }) {
    return html`<div class="row"><label>Send what failed or paused in the last <select value=${hours}
        onChange=${(event) => this.setState({ hours: event.target.value })}>
        ${SPANS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>
      <${Action} does=${this.recover}>Recover<//><span role="status">${said}</span></div>`;
  }
}

export class Endpoint extends Component {
  state = { sent: null, round: 0, rotated: null };

  test = async () => {
    this.setState({ sent: await post(`api/webhooks/${this.props.id}/test`, {}) });
  };

  remove = async () => {
    await call("DELETE", `api/webhooks/${this.props.id}`);
    location.assign("#/webhooks");
  };

  again = () => this.setState({ round: this.state.round + 1 });

  render({ id, query }, { sent, round, rotated }) {
    const path = `api/webhooks/${id}`;
    return html`<p class="crumbs"><a href="#/webhooks">Webhooks</a></p><h1 tabindex="-1">Endpoint</h1>
      <${Loaded} what="the endpoint" load=${(signal) => get(path, {}, signal)} show=${(endpoint, reload) => html`<${Title} text=${endpoint.url} />
        <p class="lead"><${Foreign} text=${endpoint.url} /> <${Copy} text=${endpoint.url} of="the address" /></p>
        <div class="row"><${Health} health=${endpoint.health} /><${Action} does=${this.test} kind="primary">Send a test<//>
          <${Action} does=${() => call("PATCH", path, { body: { enabled: !endpoint.enabled } }).then(reload)}>
            ${endpoint.enabled ? "Disable" : "Enable"}<//></div>
        ${endpoint.warning && html`<p class="warning"><${Sentence} text=${endpoint.warning} /></p>`}
        ${sent && html`<${TestSend} sent=${sent} />`}
        <${Settings} endpoint=${endpoint} />
        <details class="sheet"><summary>Change the settings</summary>
          <${EndpointForm} key=${endpoint.updated_at} endpoint=${endpoint} done=${() => reload()} /></details>
        ${
          endpoint.format === "event" &&
          html`<details class="sheet"><summary>Transform: ${endpoint.transform ? `a program in ${endpoint.transform.language} writes the bodies` : "none"}</summary>
            <${TransformEditor} key=${endpoint.updated_at} endpoint=${endpoint} done=${reload} /></details>`
        }
        ${rotated && html`<${Made} made=${rotated}>Replaced.<//>`}
        <div class="row"><${Rotation} key=${rotated?.secret} endpoint=${endpoint} done=${(made) => {
          this.setState({ rotated: made });
          reload();
        }} />
          <${Confirmed} label="Delete the endpoint" does=${this.remove}>
            <p>Its waiting deliveries are cancelled, and nothing is sent to it any more. This cannot be undone.</p><//></div>`} />
      <${DeliveryChart} key=${id} endpoint=${id} />
      <h2 class="after">Deliveries</h2>
      <${Recover} id=${id} done=${this.again} />
      <${DeliveryPages} key=${round} endpoint=${id} query=${query} />`;
  }
}

/** Filters as a text; empty if every run matches. */
function filtersText({ verdicts, languages, metadata }) {
  const pairs = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
  return html`<${Foreign} text=${[...verdicts, ...languages, ...pairs].join(", ") || "every run"} />`;
}

function Settings({ endpoint }) {
  const { last_hour: hour, last_day: day } = endpoint.latency ?? {};
  const slow = (window) => window?.deliveries > 0 && `${duration(window.p50_ms)} / ${duration(window.p95_ms)}`;
  return html`<${Facts} facts=${[
    ["Events", endpoint.events.join(", ") || "all"],
    ["Submissions", endpoint.kinds.join(", ")],
    ["Only for", filtersText(endpoint.filters)],
    ["Format", endpoint.format],
    ["Routing key", endpoint.routing_key && "stored"],
    ["Payload", endpoint.payload],
    ["Requests", `${endpoint.max_concurrency} at a time${endpoint.max_per_second ? `, ${endpoint.max_per_second} a second` : ""}`],
    ["Output", endpoint.max_output_bytes < 262144 && `at most ${endpoint.max_output_bytes} bytes of each stream`],
    ["Waits for an answer", endpoint.timeout_secs < 15 && `${endpoint.timeout_secs} s`],
    ["Ordered", endpoint.ordered && "yes"],
    ["Public key", endpoint.public_key && html`<${Copied} text=${endpoint.public_key} of="the public key" />`],
    ["Success, last hour", endpoint.stats && rate(endpoint.stats.last_hour)],
    ["Success, last day", endpoint.stats && rate(endpoint.stats.last_day)],
    ["Latency p50 / p95, last hour", slow(hour)],
    ["Latency p50 / p95, last day", slow(day)],
    ["Failing since", endpoint.failing_since && html`<${Time} at=${endpoint.failing_since} />`],
    ["Disabled", endpoint.disabled_reason && plain(endpoint.disabled_reason)],
    [
      "Old secret signs until",
      endpoint.previous_secret_until && html`<${Time} at=${endpoint.previous_secret_until} />`,
    ],
    ["Own headers", Object.keys(endpoint.headers).join(", ")],
    ["Description", endpoint.description && html`<${Foreign} text=${endpoint.description} />`],
    ["Id", html`<${Copied} text=${endpoint.id} of="the id" />`],
  ]} />`;
}
