// One delivery: its attempts, the answers, why it failed, what was signed, and replay.
import { get, poll, post } from "./api.js";
import { Component, html } from "./dom.js";
import { canBeSent, OPEN, tone } from "./delivery_list.js";
import { whyFailed } from "./failures.js";
import { Action, Copied, Facts, Foreign, Loaded, LocalTime, Output, Time, Title } from "./parts.js";
import { duration, shortId, waitingText } from "./words.js";

const STATES = {
  transforming: "The transform of its endpoint writes the body.",
  pending: "It is due, or waits for a rate limit.",
  sending: "An attempt is under way.",
  retrying: "The last attempt failed. The next one follows by itself; to have it now, send it again.",
  delivered: "The receiver accepted it.",
  exhausted: "The last attempt failed. Repair the receiver, then send it again.",
  paused: "Its endpoint is disabled. Enable the endpoint, then send it again.",
  blocked: "Nothing was sent: correct the URL, the secret or the transform, then send it again.",
  skipped: "The transform of the endpoint skipped this event.",
  cancelled: "The result or the endpoint was deleted.",
};

function Attempt({ attempt }) {
  const why = whyFailed(attempt);
  return html`<li class=${`verdict-${why ? "bad" : "AC"}`}>
    <b>Attempt ${attempt.n}: ${attempt.status_code ?? attempt.error_code}</b>${" "}
    <span class="quiet">after ${duration(attempt.latency_ms)}</span>
    ${why && html`<p>${why}</p>`}
    <p class="quiet"><${LocalTime} at=${attempt.at} />${attempt.address && ` · ${attempt.address}`}</p>
    ${
      attempt.head &&
      html`<details><summary>Beginning of the answer</summary>
        <${Output} text=${attempt.head} label=${`Answer of attempt ${attempt.n}`} /></details>`
    }
  </li>`;
}

/** What the next attempt signs. The timestamp is that of the attempt. */
async function signedText({ webhook_id: id }, signal) {
  const { data } = await get(`api/events/${id}`, {}, signal);
  return `${id}.<webhook-timestamp>.${JSON.stringify(data)}`;
}

class Replay extends Component {
  state = { secret: "", said: "", transforms: false };

  componentDidMount() {
    const { endpoint_id: id } = this.props.delivery;
    if (id !== "run")
      get(`api/webhooks/${id}`).then(
        ({ transform }) => this.setState({ transforms: Boolean(transform) }),
        () => {}, // without the endpoint its body is sent again
      );
  }

  replay = async (asked) => {
    const { delivery, done } = this.props;
    const { secret } = this.state;
    await post(`api/deliveries/${delivery.id}/replay`, secret ? { webhook_secret: secret, ...asked } : asked);
    this.setState({ said: "It is sent again." });
    done();
  };

  render({ delivery }, { secret, said, transforms }) {
    return html`<div class="row">
      ${
        delivery.endpoint_id === "run" &&
        html`<label>Secret of the run's URL <input type="password" autocomplete="off" value=${secret}
        onInput=${(event) => this.setState({ secret: event.target.value })} /></label>`
      }
      <${Action} does=${() => this.replay({})} kind="primary">Send again<//>
      ${transforms && html`<${Action} does=${() => this.replay({ transform: "again" })}>Transform and send again<//>`}
      <span role="status">${said}</span></div>`;
  }
}

export default class Delivery extends Component {
  load = (signal, show) =>
    poll(
      () => get(`api/deliveries/${this.props.id}`, {}, signal),
      ({ state }) => !OPEN.includes(state),
      {
        signal,
        rounds: 60,
        firstPauseMs: 800,
        onAnswer: show,
      },
    );

  render({ id }) {
    return html`<p class="crumbs"><a href="#/webhooks">Webhooks</a></p><h1 tabindex="-1">Delivery</h1>
      <${Loaded} load=${this.load} what="the delivery" show=${(delivery, reload) => html`<${Title} text=${`${delivery.type} ${delivery.state}, delivery ${shortId(id)}`} />
        <div class=${`hero verdict-${tone(delivery.state)}`} role="status">
          <span class="code" aria-hidden="true">${lastAnswer(delivery)}</span><div><h2>${delivery.type}: ${delivery.state}</h2>
          <p>${STATES[delivery.state]}</p><${Why} delivery=${delivery} /></div></div>
        <${Facts} facts=${[
          ["Waits", waitingText(delivery)],
          ["Transform", delivery.transform_failure && `${delivery.transform_failure.verdict}: ${delivery.transform_failure.error}`],
          ["Next attempt", delivery.next_attempt_at && html`<${Time} at=${delivery.next_attempt_at} />`],
          [
            "Endpoint",
            delivery.endpoint_id === "run"
              ? "the run's own URL"
              : html`<a href=${`#/webhooks/${delivery.endpoint_id}`}>open</a>`,
          ],
          ["Run", delivery.submission_id && html`<a href=${`#/runs/${delivery.submission_id}`}>open</a>`],
          ["webhook-id", html`<${Copied} text=${delivery.webhook_id} of="the id" />`],
        ]} />
        ${canBeSent(delivery) && html`<${Replay} delivery=${delivery} done=${reload} />`}
        <h2 class="after">Attempts</h2>
        ${
          delivery.attempts.length === 0
            ? html`<p class="quiet">None yet.</p>`
            : html`<ol class="timeline">${delivery.attempts.map((attempt) => html`<${Attempt} key=${attempt.n} attempt=${attempt} />`)}</ol>`
        }
        <h2 class="after">Signed text</h2>
        <p class="quiet">Each attempt signs <code>webhook-id.webhook-timestamp.body</code>. Verify the raw bytes you receive:
          this is the event's whole body, read and written again. Thin payloads, chat messages and transforms have a body of their own.</p>
        <${Loaded} key=${delivery.webhook_id} what="the event" load=${(stop) => signedText(delivery, stop)}
          show=${(text) => html`<${Output} text=${text} label="Signed text" />`} />`} />`;
  }
}

/** The status of the last answer; nothing if there was none. */
const lastAnswer = ({ attempts }) => attempts.at(-1)?.status_code ?? "···";

function Why({ delivery }) {
  const last = delivery.attempts.at(-1);
  const why = last && delivery.state !== "delivered" && whyFailed(last);
  return why ? html`<p><b>Why it failed:</b> <${Foreign} text=${why} /></p>` : null;
}
