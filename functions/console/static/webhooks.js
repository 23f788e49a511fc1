// Webhooks: the endpoints with their health, and the deliveries of the project.
import { get, post } from "./api.js";
import { DeliveryPages } from "./delivery_list.js";
import { Component, html } from "./dom.js";
import { Endpoint, Health, rate } from "./endpoint.js";
import { Copy, Empty, Foreign, Loaded, Problem } from "./parts.js";

function Card(endpoint) {
  const { id, url, description, health, warning, events, stats } = endpoint;
  return html`<li class="card" key=${id}>
    <div class="row"><${Health} health=${health} />
      <a class="card-title" href=${`#/webhooks/${id}`}><${Foreign} text=${url} /></a></div>
    ${description && html`<p><${Foreign} text=${description} /></p>`}
    ${warning && html`<p class="warning">${warning}</p>`}
    <p class="quiet">${events.length > 0 ? events.join(", ") : "All events"}
      ${stats && ` · last hour: ${rate(stats.last_hour)} · last day: ${rate(stats.last_day)}`}</p>
  </li>`;
}

class NewEndpoint extends Component {
  state = { made: null, error: null };

  create = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const kinds = ["run", "judge", ...(form.has("check") ? ["check"] : [])];
    try {
      this.setState({ made: await post("api/webhooks", { url: form.get("url").trim(), kinds }), error: null });
      this.props.done();
    } catch (error) {
      this.setState({ error });
    }
  };

  render(_, { made, error }) {
    return html`<details class="sheet"><summary>Add an endpoint</summary>
      <form class="row" onSubmit=${this.create}>
        <label class="grow">URL of your receiver
          <input name="url" type="url" required placeholder="https://…" /></label>
        <label class="tick"><input name="check" type="checkbox" /> Also the end of every run of a check</label>
        <button class="primary">Create</button>
      </form>
      ${error && html`<${Problem} error=${error} />`}
      ${
        made &&
        html`<div class="notice" role="status"><b>Created.</b> Keep its secret: it is shown this once.
        <p><code>${made.secret}</code> <${Copy} text=${made.secret} label="Copy the secret" /></p></div>`
      }
    </details>`;
  }
}

class List extends Component {
  state = { round: 0 };

  render({ query }, { round }) {
    return html`<h1 tabindex="-1">Webhooks</h1>
      <${NewEndpoint} done=${() => this.setState({ round: round + 1 })} />
      <${Loaded} key=${round} what="endpoints" load=${(signal) => get("api/webhooks", { limit: 100 }, signal)} show=${({
        items,
      }) =>
        items.length === 0
          ? html`<${Empty} title="No endpoints yet"><p>An endpoint gets every finished run of your clients, signed, and the changes of checks. Add one above.</p><//>`
          : html`<ul class="cards">${items.map(Card)}</ul>`} />
      <h2 class="after">Deliveries</h2>
      <${DeliveryPages} query=${query} />`;
  }
}

export default function Webhooks({ id, query }) {
  return id ? html`<${Endpoint} id=${id} query=${query} />` : html`<${List} query=${query} />`;
}
