// The last signed calls of a check, with what became of each.
import { html } from "./dom.js";
import { Foreign, Table, Time } from "./parts.js";
import { bytes } from "./words.js";

const TONES = { ran: "AC", repeated: "open", ignored: "open", refused: "bad" };

function Row(call) {
  return html`<tr key=${`${call.at}${call.event_id}`}>
    <td><span class=${`badge verdict-${TONES[call.outcome]}`}>${call.outcome}</span></td>
    <td>${call.event_type && html`<${Foreign} text=${call.event_type} /> `}${call.event_id && html`<code><${Foreign} text=${call.event_id} /></code>`}</td>
    <td><${Foreign} text=${call.reason} /></td>
    <td data-name="size">${bytes(call.size_bytes)}</td>
    <td class="end"><${Time} at=${call.at} /></td>
  </tr>`;
}

/** `calls`: the log of the API. A check that nobody calls has none. */
export function Calls({ calls }) {
  if (!calls.verification && calls.items.length === 0) return null;
  return html`<h2 class="after">Calls</h2>
    <p class="quiet">Calls to <code>${calls.url}</code>, signed as ${calls.verification?.verify ?? "nothing"}; the last 20 that were genuine, and the last 20 that were refused.</p>
    ${
      calls.items.length === 0
        ? html`<p class="quiet">No calls in the last seven days.</p>`
        : html`<${Table} heads=${["Outcome", "Event", "Reason", "Size", "At"]} items=${calls.items} row=${Row} />`
    }`;
}
