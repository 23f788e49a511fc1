// Secrets of the project: set, listed without their values, deleted.
import { call, get } from "./api.js";
import { Component, html } from "./dom.js";
import { Confirmed, Empty, Foreign, Loaded, Problem, Table, Time } from "./parts.js";

const PLACES = [
  ["bearer", "Authorization: Bearer"],
  ["basic", "Authorization: Basic (user:password)"],
  ["header", "A header"],
  ["query", "A parameter of the query"],
];

const words = (text) => text.split(/[\s,]+/).filter(Boolean);

class SecretForm extends Component {
  state = { place: "bearer", error: null, isBusy: false };

  submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const given = Object.fromEntries(new FormData(form));
    this.setState({ isBusy: true, error: null });
    try {
      await call("PUT", `api/secrets/${encodeURIComponent(given.name)}`, {
        body: {
          value: given.value,
          host: given.host,
          as: given.parameter ? { [given.place]: given.parameter } : given.place,
          methods: words(given.methods.toUpperCase()),
          paths: words(given.paths),
        },
      });
      form.reset();
      this.setState({ isBusy: false, place: "bearer" });
      this.props.done();
    } catch (error) {
      this.setState({ isBusy: false, error });
    }
  };

  render(_, { place, error, isBusy }) {
    const hasParameter = place === "header" || place === "query";
    return html`<form class="fields" onSubmit=${this.submit}>
      <label>Name <input name="name" required pattern="[a-z]([a-z0-9\\-]{0,38}[a-z0-9])?" autocomplete="off" placeholder="github" /></label>
      <label>Host <input name="host" required autocomplete="off" placeholder="api.github.com" /></label>
      <label>Value <input name="value" type="password" required minlength="8" maxlength="2048" autocomplete="off" spellcheck=${false} /></label>
      <label>Sent as <select name="place" value=${place} onChange=${(event) => this.setState({ place: event.target.value })}>
        ${PLACES.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>
      ${hasParameter && html`<label>Its name <input name="parameter" required autocomplete="off" placeholder=${place === "header" ? "X-Api-Key" : "key"} /></label>`}
      <label>Methods <input name="methods" autocomplete="off" placeholder="all" /></label>
      <label>Paths <input name="paths" autocomplete="off" placeholder="all" /></label>
      ${error && html`<${Problem} error=${error} />`}
      <button class="primary" disabled=${isBusy}>${isBusy ? "Saving…" : "Save"}</button>
    </form>`;
  }
}

const shownPlace = (place) => (typeof place === "string" ? place : Object.entries(place)[0].join(": "));

function Row({ name, host, as, methods, paths, last_used_at: usedAt }, done) {
  const remove = async () => {
    await call("DELETE", `api/secrets/${name}`);
    done();
  };
  return html`<tr key=${name}>
    <td><code>${name}</code></td>
    <td data-name="host"><${Foreign} text=${host} /></td>
    <td data-name="sent as"><${Foreign} text=${shownPlace(as)} /></td>
    <td data-name="may use"><${Foreign} text=${[...methods, ...paths].join(", ") || "all"} /></td>
    <td data-name="used"><${Time} at=${usedAt} /></td>
    <td class="end"><${Confirmed} label="Delete" does=${remove}>
      <p>Programs that name ${name} are refused from now on. Runs that were accepted before keep it.</p><//></td>
  </tr>`;
}

export default class Secrets extends Component {
  state = { round: 0 };

  done = () => this.setState({ round: this.state.round + 1 });

  render(_, { round }) {
    return html`<p class="crumbs"><a href="#/checks">Checks</a></p>
      <h1 tabindex="-1">Secrets</h1>
      <p>A program uses a secret in requests to its host, and never sees the value. It calls <code>RUSTBOX_SECRET_NAME_URL</code>.</p>
      <${Loaded} key=${round} what="secrets" load=${(signal) => get("api/secrets", {}, signal)} show=${({ items }) =>
        items.length === 0
          ? html`<${Empty} title="No secrets yet"><p>Set one below, or with <code>rustbox secrets set</code>.</p><//>`
          : html`<${Table} heads=${["Name", "Host", "Sent as", "May use", "Used", ""]} items=${items} row=${(item) => Row(item, this.done)} />`} />
      <h2 class="after">Set a secret</h2>
      <${SecretForm} done=${this.done} />`;
  }
}
