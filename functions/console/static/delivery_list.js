// A list of deliveries: of the project, or of one endpoint.
import { get, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Filter, Pages } from "./list.js";
import { Action, Foreign, Time } from "./parts.js";
import { duration, plain, shortId } from "./words.js";

/** States from which a delivery goes on by itself. */
export const OPEN = ["transforming", "pending", "sending", "retrying"];

const STATES = [
  ...["transforming", "pending", "sending", "retrying", "delivered", "exhausted", "paused", "blocked", "skipped"],
  "cancelled",
];
const EMPTY = {
  title: "No deliveries",
  hint: html`<p>A delivery appears when a run ends and an endpoint wants it.</p>`,
};

export function tone(state) {
  if (state === "delivered" || state === "skipped") return "AC";
  return OPEN.includes(state) ? "slow" : "bad";
}

export const State = ({ state }) => html`<span class=${`badge verdict-${tone(state)}`}>${state}</span>`;

/** States of a delivery that its owner may send again. */
export const canBeSent = ({ state }) => state !== "cancelled" && (state === "retrying" || !OPEN.includes(state));

/** What the last attempt met: a status or the code of an error, and how long that took. */
function LastAnswer({ last }) {
  if (!last) return "–";
  const isGood = last.status_code >= 200 && last.status_code < 300;
  return html`<b class=${isGood ? "good" : "bad"}>${last.status_code ?? plain(last.error_code)}</b> <span class="quiet">${duration(last.latency_ms)}</span>`;
}

function Target({ id, urls }) {
  if (id === "run") return "the run's own URL";
  const url = urls.get(id);
  return html`<a href=${`#/webhooks/${id}`}>${url ? html`<${Foreign} text=${short(url)} />` : "open"}</a>`;
}

function Row(delivery, change, urls) {
  const submission = delivery.submission_id;
  const isFailed = canBeSent(delivery) && tone(delivery.state) !== "AC" && delivery.endpoint_id !== "run";
  const again = async () => change(await post(`api/deliveries/${delivery.id}/replay`, {}));
  return html`<tr key=${delivery.id}>
    <td><${State} state=${delivery.state} /></td>
    <td><a href=${`#/deliveries/${delivery.id}`}>${delivery.type}</a></td>
    ${urls && html`<td><${Target} id=${delivery.endpoint_id} urls=${urls} /></td>`}
    <td>${submission && html`<a href=${`#/runs/${submission}`}><code>${shortId(submission)}</code></a>`}</td>
    <td data-name="answer"><${LastAnswer} last=${delivery.last_attempt} /></td>
    <td data-name="attempts">${delivery.attempts_made}</td>
    <td>${isFailed && html`<${Action} kind="small" does=${again}>Send again<//>`}</td>
    <td class="end"><${Time} at=${delivery.next_attempt_at ?? delivery.created_at} /></td>
  </tr>`;
}

const MOST_URL_CHARS = 44;
const short = (url) => {
  const text = url.replace(/^https?:\/\//, "");
  return text.length > MOST_URL_CHARS ? `${text.slice(0, MOST_URL_CHARS)}…` : text;
};

/** The deliveries of the project, or of one endpoint, with filters. */
export class DeliveryPages extends Component {
  state = { endpoints: [] };

  componentDidMount() {
    if (this.props.endpoint) return;
    get("api/webhooks", { limit: 100 }).then(
      ({ items }) => this.setState({ endpoints: items }),
      () => {}, // the list goes without the URLs
    );
  }

  render({ endpoint, query }, { endpoints }) {
    const urls = endpoint ? null : new Map(endpoints.map(({ id, url }) => [id, url]));
    const targets = [...endpoints.map(({ id, url }) => [id, short(url)]), ["run", "the run's own URL"]];
    return html`<div class="row filters" role="group" aria-label="Filters">
        <${Filter} name="state" title="State" values=${STATES} query=${query} />
        ${urls && html`<${Filter} name="endpoint" title="Endpoint" values=${targets} query=${query} />`}</div>
      <${Pages} path="api/deliveries" filters=${{ endpoint_id: endpoint ?? query.get("endpoint"), state: query.get("state") }} what="deliveries"
        heads=${["State", "Event", urls && "Endpoint", "Run", "Last answer", "Attempts", "Repair", "Next or created"].filter((head) => head !== null)}
        row=${(delivery, change) => Row(delivery, change, urls)} isMoving=${({ state }) => OPEN.includes(state)} empty=${EMPTY} />`;
  }
}
