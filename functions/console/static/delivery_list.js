// A list of deliveries: of the project, or of one endpoint.
import { html } from "./dom.js";
import { Filter, Pages } from "./list.js";
import { Time } from "./parts.js";
import { shortId } from "./words.js";

/** States from which a delivery goes on by itself. */
export const OPEN = ["pending", "sending", "retrying"];

const STATES = ["pending", "sending", "retrying", "delivered", "exhausted", "paused", "blocked", "cancelled"];
const EMPTY = {
  title: "No deliveries",
  hint: html`<p>A delivery appears when a run ends and an endpoint wants it.</p>`,
};

export function tone(state) {
  if (state === "delivered") return "AC";
  return OPEN.includes(state) ? "slow" : "bad";
}

export const State = ({ state }) => html`<span class=${`badge verdict-${tone(state)}`}>${state}</span>`;

function Row(delivery) {
  const submission = delivery.submission_id;
  return html`<tr key=${delivery.id}>
    <td><${State} state=${delivery.state} /></td>
    <td><a href=${`#/deliveries/${delivery.id}`}>${delivery.type}</a></td>
    <td>${submission && html`<a href=${`#/runs/${submission}`}><code>${shortId(submission)}</code></a>`}</td>
    <td data-name="attempts">${delivery.attempts_made}</td>
    <td class="end"><${Time} at=${delivery.next_attempt_at ?? delivery.created_at} /></td>
  </tr>`;
}

/** The deliveries of the project, or of one endpoint, with a filter. */
export function DeliveryPages({ endpoint, query }) {
  return html`<div class="row filters"><${Filter} name="state" title="State" values=${STATES} query=${query} /></div>
    <${Pages} path="api/deliveries" filters=${{ endpoint_id: endpoint, state: query.get("state") }} what="deliveries"
      heads=${["State", "Event", "Run", "Attempts", "Next or created"]} row=${Row}
      isMoving=${({ state }) => OPEN.includes(state)} empty=${EMPTY} />`;
}
