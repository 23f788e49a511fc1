// How a service signs its calls to a check, and the secret, shown once.
import { post, ROOT } from "./api.js";
import { Component, html } from "./dom.js";
import { Copy, Problem } from "./parts.js";

const SCHEMES = ["standard", "github", "gitlab", "stripe", "slack", "hmac"];

function Made({ made }) {
  const address = new URL(made.url.replace(/^\//, ""), ROOT).href;
  return html`<div class="notice" role="status"><b>Keep this secret: it is shown this once.</b>
    <p>Address: <code>${address}</code> <${Copy} text=${address} label="Copy the address" /></p>
    <p>Secret: <code>${made.secret}</code> <${Copy} text=${made.secret} label="Copy the secret" /></p></div>`;
}

export class Verification extends Component {
  state = { verify: this.props.verify ?? "github", secret: "", header: "", made: null, error: null };

  set = (name) => (event) => this.setState({ [name]: event.target.value });

  save = async (event) => {
    event.preventDefault();
    const { verify, secret, header } = this.state;
    const body = { verify, ...(secret && { secret }), ...(verify === "hmac" && { header }) };
    try {
      this.setState({ made: await post(`api/checks/${this.props.id}/secret`, body), error: null, secret: "" });
    } catch (error) {
      this.setState({ error, made: null });
    }
  };

  render(_, { verify, secret, header, made, error }) {
    return html`<details class="after"><summary>Let a service call this check</summary>
      <form class="row verification" onSubmit=${this.save}>
        <label>Signed as <select value=${verify} onChange=${this.set("verify")}>
          ${SCHEMES.map((each) => html`<option value=${each}>${each}</option>`)}</select></label>
        ${verify === "hmac" && html`<label>Header with the signature <input required value=${header} onInput=${this.set("header")} /></label>`}
        <label class="grow">Its secret; empty: a new one <input type="password" autocomplete="off" value=${secret} onInput=${this.set("secret")} /></label>
        <button>Replace the secret</button></form>
      ${error && html`<${Problem} error=${error} />`}${made && html`<${Made} made=${made} />`}</details>`;
  }
}
