// The catalogue of events with schemas and examples, and samples for programs that read the event log.
import { get, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Action, Copied, Loaded, Output } from "./parts.js";

class Sample extends Component {
  state = { sent: null };

  send = async () => this.setState({ sent: await post("api/event-samples", { type: this.props.type }) });

  render({ type }, { sent }) {
    return html`<div class="row"><${Action} kind="small" does=${this.send}>Send a sample of ${type}<//>
      ${sent && html`<span role="status">In the event log: <${Copied} text=${sent.id} of="the id of the event" /></span>`}</div>`;
  }
}

/** The schema and the example are drawn once they are opened: together they are long. */
class Type extends Component {
  state = { isOpen: false };

  render({ type, description, schema, example }, { isOpen }) {
    return html`<li><details class="sheet" onToggle=${({ target }) => target.open && this.setState({ isOpen: true })}>
      <summary><code>${type}</code>: ${description}</summary>
      ${
        isOpen &&
        html`<${Sample} type=${type} />
        <div class="two"><div><h3>Example</h3><${Output} text=${JSON.stringify(example, null, 2)} label=${`Example of ${type}`} /></div>
          <div><h3>JSON Schema</h3><${Output} text=${JSON.stringify(schema, null, 2)} label=${`Schema of ${type}`} /></div></div>`
      }</details></li>`;
  }
}

export default function Events() {
  return html`<p class="crumbs"><a href="#/webhooks">Webhooks</a></p><h1 tabindex="-1">Events</h1>
    <p>Each has the body below, in webhooks and in the event log. A sample goes to programs that read the log, such as <code>rustbox listen</code>, and to no endpoint;
      for these, <i>Send a test</i> stands at each endpoint.</p>
    <${Loaded} what="the catalogue" load=${(signal) => get("api/event-types", {}, signal)} show=${({ items }) =>
      html`<ul class="event-types">${items.map((each) => html`<${Type} key=${each.type} ...${each} />`)}</ul>`} />`;
}
