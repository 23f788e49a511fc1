// Webhooks: the endpoints with their health, and the deliveries of the project.
import { get } from "./api.js";
import { DeliveryPages } from "./delivery_list.js";
import { Component, html } from "./dom.js";
import { Endpoint, Health, rate } from "./endpoint.js";
import { EndpointForm, Made } from "./endpoint_form.js";
import { Empty, Foreign, Loaded, Sentence } from "./parts.js";

function Card(endpoint) {
  const { id, url, description, health, warning, events, stats } = endpoint;
  return html`<li class="card" key=${id}>
    <div class="row"><${Health} health=${health} />
      <a class="card-title" href=${`#/webhooks/${id}`}><${Foreign} text=${url} /></a></div>
    ${description && html`<p><${Foreign} text=${description} /></p>`}
    ${warning && html`<p class="warning"><${Sentence} text=${warning} /></p>`}
    <p class="quiet">${events.length > 0 ? events.join(", ") : "All events"}
      ${stats && ` · last hour: ${rate(stats.last_hour)} · last day: ${rate(stats.last_day)}`}</p>
  </li>`;
}

class NewEndpoint extends Component {
  state = { made: null, round: 0 };

  done = (made) => {
    this.setState({ made, round: this.state.round + 1 });
    this.props.done();
  };

  render({ isOpen }, { made, round }) {
    return html`<details class="sheet" open=${isOpen}><summary>Add an endpoint</summary>
      <${EndpointForm} key=${round} done=${this.done} />${made && html`<${Made} made=${made} />`}</details>`;
  }
}

class List extends Component {
  state = { round: 0 };

  render({ query }, { round }) {
    return html`<h1 tabindex="-1">Webhooks</h1>
      <${NewEndpoint} isOpen=${query.has("new")} done=${() => this.setState({ round: round + 1 })} />
      <${Loaded} key=${round} everySecs=${30} what="endpoints" load=${(signal) => get("api/webhooks", { limit: 100 }, signal)} show=${({
        items,
      }) =>
        items.length === 0
          ? html`<${Empty} title="No endpoints yet"><p>An endpoint gets every finished run of your clients, signed, and the changes of checks. Add one above.</p><//>`
          : html`<ul class="cards">${items.map(Card)}</ul>`} />
      <p class="after"><a href="#/events">Catalogue of events, and samples</a></p>
      <h2 class="after">Deliveries</h2>
      <${DeliveryPages} query=${query} />`;
  }
}

export default function Webhooks({ id, query }) {
  return id ? html`<${Endpoint} id=${id} query=${query} />` : html`<${List} query=${query} />`;
}
