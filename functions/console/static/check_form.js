// Make a check or a heartbeat, and change one. The next times of the schedule show while it is typed.
import { call, get, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Editor } from "./editor.js";
import { PingUrl } from "./ping_url.js";
import { Foreign, Help, LocalTime, Problem } from "./parts.js";
import { SAMPLES } from "./languages.js";

const PAUSE_MS = 300;
const NEW = {
  kind: "program",
  name: "",
  language: "python",
  code: SAMPLES.python,
  schedule: "cron(30 2 * * ? *)",
  timezone: Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC",
  grace_minutes: 60,
  assertions: [],
  tags: [],
  quiet: [],
  events: [],
  match: {},
  report: null,
};

/** The next five times of a schedule, or why it has none. */
class NextTimes extends Component {
  state = { times: [], error: null };

  componentDidMount() {
    this.ask();
  }

  componentDidUpdate(before) {
    if (before.schedule !== this.props.schedule || before.timezone !== this.props.timezone) this.later();
  }

  componentWillUnmount() {
    clearTimeout(this.timer);
    this.stop?.abort();
  }

  later = () => {
    clearTimeout(this.timer);
    this.timer = setTimeout(this.ask, PAUSE_MS);
  };

  ask = async () => {
    const { schedule, timezone } = this.props;
    this.stop?.abort();
    this.stop = new AbortController();
    if (!schedule.trim()) return this.setState({ times: [], error: null });
    try {
      const { times } = await get("api/schedules", { schedule, timezone }, this.stop.signal);
      this.setState({ times, error: null });
    } catch (error) {
      if (error.name !== "AbortError") this.setState({ times: [], error });
    }
  };

  render({ what }, { times, error }) {
    const message = error?.fields?.[0]?.message ?? error?.message;
    return html`<div class="next-times" role="status">${
      message
        ? html`<p class="warning"><${Foreign} text=${message} /></p>`
        : html`<p class="quiet">${times.length > 0 ? `${what}, in your time zone:` : "It runs on request only."}</p>
          <ol>${times.map((time) => html`<li><${LocalTime} at=${time} /></li>`)}</ol>`
    }</div>`;
  }
}

/** Quiet times, a row each. */
function QuietTimes({ times, change }) {
  const set = (place, part) => change(times.map((each, index) => (index === place ? { ...each, ...part } : each)));
  return html`<fieldset class="quiet-times"><legend>Quiet times: changes of the state are told afterwards</legend>
    ${times.map(
      (each, place) => html`<div class="row">
        <label>From (cron) <input value=${each.schedule} onInput=${(event) => set(place, { schedule: event.target.value })} /></label>
        <label>Minutes <input type="number" min="1" max="10080" value=${each.minutes}
          onInput=${(event) => set(place, { minutes: Number(event.target.value) })} /></label>
        <button type="button" class="small" onClick=${() => change(times.filter((_, index) => index !== place))}>Remove</button></div>`,
    )}
    <button type="button" class="small" onClick=${() => change([...times, { schedule: "cron(0 2 ? * SUN *)", minutes: 60 }])}>
      Add a quiet time</button></fieldset>`;
}

const parsed = (name, text) => {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`${name}: ${error.message}`);
  }
};

/** The settings of a program alone. Throws Error for assertions or values to match that are no JSON. */
function program({ language, code, assertions, hosts, events, match, token, context, report }) {
  const status = { ...report?.github_status, token: token.trim(), context: context.trim() || null };
  const allow = hosts.split(/[\s,]+/).filter(Boolean);
  return {
    language,
    code,
    network: allow.length > 0 ? { allow } : null,
    assertions: parsed("Assertions", assertions),
    events: events.split(",").map((each) => each.trim()).filter(Boolean),
    match: parsed("Match", match || "{}"),
    report: status.token ? { github_status: status } : null,
  };
}

/** The settings as the API takes them. Throws as `program` does. */
function settings({ kind, name, schedule, timezone, grace_minutes: grace, tags, quiet, ...rest }) {
  const shared = { name, timezone, tags: tags.split(/[\s,]+/).filter(Boolean), schedule: schedule.trim() || null };
  const own = kind === "heartbeat" ? { grace_minutes: Number(grace) } : program(rest);
  return { ...shared, ...own, quiet: quiet.map((each) => ({ timezone, ...each })) };
}

/** `check`: the one to change; none: make one. `done(check)` gets what came of it. */
export class CheckForm extends Component {
  constructor(props) {
    super(props);
    const check = props.check ?? NEW;
    this.state = {
      ...check,
      schedule: check.schedule ?? "",
      code: check.code || SAMPLES.python,
      language: check.language ?? "python",
      tags: check.tags.join(", "),
      hosts: check.network?.allow.join(", ") ?? "",
      assertions: JSON.stringify(check.assertions, null, 2),
      events: check.events.join(", "),
      match: JSON.stringify(check.match),
      token: check.report?.github_status.token ?? "",
      context: check.report?.github_status.context ?? "",
      error: null,
      made: null,
    };
  }

  set = (name) => (event) => this.setState({ [name]: event.target.value });

  save = async (event) => {
    event.preventDefault();
    const { check, done } = this.props;
    try {
      const body = settings(this.state);
      if (check) return done((await call("PATCH", `api/checks/${check.id}`, { body })).body);
      const { kind } = this.state;
      const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
      const made = await post("api/checks", { ...given, kind });
      if (kind !== "heartbeat") return done(made);
      this.setState({ made: { ...made, ...(await post(`api/checks/${made.id}/ping-url`, {})) }, error: null });
    } catch (error) {
      this.setState({ error });
    }
  };

  render({ check }, { made, error, kind, name, language, code, schedule, timezone, assertions, tags, quiet, hosts, ...state }) {
    if (made) {
      return html`<${PingUrl} url=${made.url} /><p><a href=${`#/checks/${made.id}`}>Open the heartbeat</a></p>`;
    }
    const isHeartbeat = kind === "heartbeat";
    return html`<form class="sheet check-form" onSubmit=${this.save}>
      <div class="row">
        ${
          !check &&
          html`<label>Kind <select value=${kind} onChange=${this.set("kind")}>
            <option value="program">a program</option><option value="heartbeat">a heartbeat of a job elsewhere</option></select></label>`
        }
        <label class="grow">Name <input required maxlength="100" value=${name} onInput=${this.set("name")} /></label>
        <label>Tags <input value=${tags} onInput=${this.set("tags")} placeholder="nightly, deploy" /></label>
      </div>
      <div class="row">
        <label class="grow">${isHeartbeat ? "Pings come at" : "Schedule"} <input required=${isHeartbeat} value=${schedule} onInput=${this.set("schedule")}
          placeholder="cron(30 2 * * ? *), */5 * * * *, rate(1 hour)" spellcheck=${false} /></label>
        <label>Time zone <input value=${timezone} onInput=${this.set("timezone")} spellcheck=${false} /></label>
        ${
          isHeartbeat &&
          html`<label>Late after, minutes <input type="number" min="1" max="720" value=${state.grace_minutes}
            onInput=${this.set("grace_minutes")} /></label>`
        }
      </div>
      <${Help} title="How schedules are written"><ul>
        <li><code>rate(5 minutes)</code>: every five minutes; also hours and days</li>
        <li><code>30 2 * * *</code>: at 02:30 each day, as crontab has it: minute, hour, day, month, day of the week</li>
        <li><code>cron(30 2 ? * MON-FRI *)</code>: at 02:30 from Monday to Friday, as EventBridge has it: with a year at the end</li>
        </ul><p>Times are those of the time zone. ${isHeartbeat ? "A ping may come earlier than its time." : "Without a schedule, the check runs on request, or when a service calls it."}</p><//>
      <${NextTimes} schedule=${schedule} timezone=${timezone} what=${isHeartbeat ? "Next pings" : "Next runs"} />
      ${
        !isHeartbeat &&
        html`<div class="row"><label>Language <select value=${language} onChange=${this.set("language")}>
            ${Object.keys(SAMPLES).map((each) => html`<option value=${each}>${each}</option>`)}</select></label></div>
          <${Editor} id="check-code" label="Program" code=${code} language=${language} onChange=${(text) => this.setState({ code: text })} />
          <label>Hosts that the program may reach
            <input value=${hosts} onInput=${this.set("hosts")} placeholder="none; api.example.com, *.example.org:8443" spellcheck=${false} /></label>
          <label>Assertions, in JSON; without one about the verdict, it must be AC
            <textarea rows="4" value=${assertions} onInput=${this.set("assertions")} spellcheck=${false}></textarea></label>
          <div class="row"><label class="grow">Signed calls: events that run it <input value=${state.events} onInput=${this.set("events")}
              placeholder="push, pull_request.opened; empty: all" spellcheck=${false} /></label>
            <label class="grow">Values to match, in JSON <input value=${state.match} onInput=${this.set("match")}
              placeholder='{"$.ref": "refs/heads/main"}' spellcheck=${false} /></label></div>
          <div class="row"><label class="grow">Status of the commit on GitHub: a token that may write it
              <input type="password" autocomplete="off" value=${state.token} onInput=${this.set("token")} placeholder="none" /></label>
            <label>Its label <input maxlength="100" value=${state.context} onInput=${this.set("context")} placeholder="rustbox/ and the slug" /></label></div>`
      }
      <${QuietTimes} times=${quiet} change=${(times) => this.setState({ quiet: times })} />
      ${error && html`<${Problem} error=${error} />`}
      <div class="row"><button class="primary">${check ? "Save" : "Create"}</button>
        <a class="button" href=${check ? `#/checks/${check.id}` : "#/checks"}>Cancel</a></div>
    </form>`;
  }
}
