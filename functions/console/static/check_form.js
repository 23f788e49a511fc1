// Make a check or a heartbeat, and change one. The next times of the schedule show while it is typed.
import { call, get, post } from "./api.js";
import { Assertions } from "./assertions.js";
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
  limits: null,
  env: {},
  retries: 0,
  fail_after: { needed: 1, of: 1 },
  remind_hours: 0,
  runbook_url: null,
  group: null,
};
const LIMITS = [
  ["cpu_time_secs", "CPU time, s"],
  ["wall_time_secs", "Wall time, s"],
  ["memory_mb", "Memory, MB"],
];
const words = (text) => text.split(/[\s,]+/).filter(Boolean);

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

/** Variables, one NAME=value a line. Throws Error for a line that is none. */
function variables(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const bad = lines.findIndex((line) => !/^\w+=/.test(line));
  if (bad >= 0) throw new Error(`Variables: line ${bad + 1} is no NAME=value.`);
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/** Limits that are given, with those that the form does not show; null without any. */
function limitsOf(limits) {
  const given = Object.entries(limits).filter(([, value]) => value !== "" && value !== null);
  return given.length > 0 ? Object.fromEntries(given.map(([name, value]) => [name, Number(value)])) : null;
}

function groupOf({ key, debounce_secs: quiet, most_secs: most, at_most: count }) {
  return { key: key?.trim() || null, debounce_secs: Number(quiet) || null, most_secs: Number(most) || null, at_most: Number(count) || 1 };
}

/** The network: hosts, and names of secrets. */
function networkOf(hosts, secrets) {
  const [allow, names] = [words(hosts), words(secrets)];
  return allow.length + names.length > 0 ? { allow, ...(names.length > 0 && { secrets: names }) } : null;
}

/** The settings of a program alone. Throws Error for assertions, values or variables that are none. */
function program(state) {
  const { language, code, assertions, events, match, token, context, report, isGrouped, group } = state;
  const status = { ...report?.github_status, token: token.trim(), context: context.trim() || null };
  return {
    language,
    code,
    network: networkOf(state.hosts, state.secrets),
    limits: limitsOf(state.limits),
    env: variables(state.env),
    assertions: parsed("Assertions", assertions),
    events: events.split(",").map((each) => each.trim()).filter(Boolean),
    match: parsed("Match", match || "{}"),
    group: isGrouped ? groupOf(group) : null,
    retries: Number(state.retries),
    report: status.token ? { github_status: status } : null,
  };
}

/** One run of the program in the form, to try assertions. Variables of a saved check are unknown here, and left out. */
function runOf(state) {
  const { language, code, network, limits, env } = program(state);
  const known = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== "***"));
  return { language, code, ...(network && { profile: "agent", network }), ...(limits && { limits }), ...(Object.keys(known).length > 0 && { env: known }) };
}

/** The settings as the API takes them. Throws as `program` does. */
function settings({ kind, name, schedule, timezone, grace_minutes: grace, tags, quiet, ...rest }) {
  const { needed, of } = rest.fail_after;
  const shared = {
    name,
    timezone,
    tags: words(tags),
    schedule: schedule.trim() || null,
    grace_minutes: Number(grace),
    fail_after: { needed: Number(needed), of: Number(of) },
    remind_hours: Number(rest.remind_hours),
    runbook_url: rest.runbook_url?.trim() || null,
  };
  return { ...shared, ...(kind === "heartbeat" ? {} : program(rest)), quiet: quiet.map((each) => ({ timezone, ...each })) };
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
      hosts: check.network?.allow?.join(", ") ?? "",
      secrets: check.network?.secrets?.join(", ") ?? "",
      limits: check.limits ?? {},
      env: Object.entries(check.env ?? {}).map(([name, value]) => `${name}=${value}`).join("\n"),
      isGrouped: Boolean(check.group),
      group: check.group ?? {},
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

  /** Change a part of a setting that has parts. */
  setIn = (name, part) => (event) => this.setState({ [name]: { ...this.state[name], [part]: event.target.value } });

  number(title, min, max, value, onInput, more = {}) {
    return html`<label>${title} <input type="number" min=${min} max=${max} value=${value ?? ""} onInput=${onInput} ...${more} /></label>`;
  }

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
      <fieldset><legend>Schedule</legend>
      <div class="row">
        <label class="grow">${isHeartbeat ? "Pings come at" : "Schedule"} <input required=${isHeartbeat} value=${schedule} onInput=${this.set("schedule")}
          placeholder="cron(30 2 * * ? *), */5 * * * *, rate(1 hour)" spellcheck=${false} /></label>
        <label>Time zone <input value=${timezone} onInput=${this.set("timezone")} spellcheck=${false} /></label>
        ${this.number(isHeartbeat ? "Late after, minutes" : "May start late, minutes", 1, 720, state.grace_minutes, this.set("grace_minutes"))}
      </div>
      <${Help} title="How schedules are written"><ul>
        <li><code>rate(5 minutes)</code>: every five minutes; also hours and days</li>
        <li><code>30 2 * * *</code>: at 02:30 each day, as crontab has it: minute, hour, day, month, day of the week</li>
        <li><code>cron(30 2 ? * MON-FRI *)</code>: at 02:30 from Monday to Friday, as EventBridge has it: with a year at the end</li>
        </ul><p>Times are those of the time zone. ${isHeartbeat ? "A ping may come earlier than its time." : "Without a schedule, the check runs on request, or when a service calls it."}</p><//>
      <${NextTimes} schedule=${schedule} timezone=${timezone} what=${isHeartbeat ? "Next pings" : "Next runs"} />
      ${
        !isHeartbeat &&
        html`<div class="row"><label class="grow">Signed calls: events that run it <input value=${state.events} onInput=${this.set("events")}
              placeholder="push, pull_request.opened; empty: all" spellcheck=${false} /></label>
            <label class="grow">Values to match, in JSON <input value=${state.match} onInput=${this.set("match")}
              placeholder='{"$.ref": "refs/heads/main"}' spellcheck=${false} /></label></div>
          <label class="tick"><input type="checkbox" checked=${state.isGrouped} onChange=${({ target }) => this.setState({ isGrouped: target.checked })} />
            Calls with one key wait for each other</label>
          ${
            state.isGrouped &&
            html`<div class="row"><label class="grow">Key, a path in the event <input value=${state.group.key ?? ""} onInput=${this.setIn("group", "key")}
                placeholder="$.ref; empty: all calls" spellcheck=${false} /></label>
              ${this.number("Runs at a time", 1, 100, state.group.at_most ?? 1, this.setIn("group", "at_most"))}
              ${this.number("One run after silence of, s", 1, 900, state.group.debounce_secs, this.setIn("group", "debounce_secs"), { placeholder: "each runs" })}
              ${this.number("At the latest after, s", 1, 900, state.group.most_secs, this.setIn("group", "most_secs"), { placeholder: "900" })}</div>`
          }`
      }</fieldset>
      ${
        !isHeartbeat &&
        html`<fieldset><legend>Program</legend><div class="row"><label>Language <select value=${language} onChange=${this.set("language")}>
            ${Object.keys(SAMPLES).map((each) => html`<option value=${each}>${each}</option>`)}</select></label></div>
          <${Editor} id="check-code" label="Program" code=${code} language=${language} onChange=${(text) => this.setState({ code: text })} />
          <div class="row"><label class="grow">Hosts that the program may reach
            <input value=${hosts} onInput=${this.set("hosts")} placeholder="none; api.example.com, *.example.org:8443" spellcheck=${false} /></label>
            <label class="grow">Secrets <input value=${state.secrets} onInput=${this.set("secrets")} placeholder="none; by what the project calls them" spellcheck=${false} /></label></div>
          <div class="row">${LIMITS.map(([each, title]) => this.number(title, 0, undefined, state.limits[each], this.setIn("limits", each), { step: "any", placeholder: "default" }))}</div>
          <label>Variables, a line each, such as TOKEN=value; *** keeps one
            <textarea rows="2" value=${state.env} onInput=${this.set("env")} spellcheck=${false} autocomplete="off" placeholder="none"></textarea></label></fieldset>`
      }
      <fieldset><legend>Pass if</legend>
      ${
        !isHeartbeat &&
        html`<${Assertions} text=${assertions} change=${(text) => this.setState({ assertions: text })} check=${check?.id ?? null} program=${() => runOf(this.state)} />`
      }
      <div class="row">${!isHeartbeat && this.number("Repeats of a failed run", 0, 3, state.retries, this.set("retries"))}
        ${this.number("Failing after so many failures", 1, 10, state.fail_after.needed, this.setIn("fail_after", "needed"))}
        ${this.number("of the last runs", 1, 10, state.fail_after.of, this.setIn("fail_after", "of"))}</div></fieldset>
      <fieldset><legend>Tell</legend>
      <p class="quiet">Endpoints of the project get <code>check.state.changed</code>: see <a href="#/webhooks">Webhooks</a>.</p>
      <div class="row">${this.number("Repeat the alarm, hours", 0, 720, state.remind_hours, this.set("remind_hours"), { title: "0: never" })}
        <label class="grow">Runbook, an address <input type="url" maxlength="150" value=${state.runbook_url ?? ""} onInput=${this.set("runbook_url")} placeholder="none" /></label></div>
      ${
        !isHeartbeat &&
        html`<div class="row"><label class="grow">Status of the commit on GitHub: a token that may write it
              <input type="password" autocomplete="off" value=${state.token} onInput=${this.set("token")} placeholder="none" /></label>
            <label>Its label <input maxlength="100" value=${state.context} onInput=${this.set("context")} placeholder="rustbox/ and the slug" /></label></div>`
      }
      <${QuietTimes} times=${quiet} change=${(times) => this.setState({ quiet: times })} /></fieldset>
      ${error && html`<${Problem} error=${error} />`}
      <div class="row"><button class="primary">${check ? "Save" : "Create"}</button>
        <a class="button" href=${check ? `#/checks/${check.id}` : "#/checks"}>Cancel</a></div>
    </form>`;
  }
}
