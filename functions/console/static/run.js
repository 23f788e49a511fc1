// Run: write a program, run it, read the result.
import { ApiError, call, get, newId, poll } from "./api.js";
import { Component, html } from "./dom.js";
import { draftOf, loadDraft, requestOf, saveDraft } from "./draft.js";
import { Editor, goToLine } from "./editor.js";
import { LiveOutput } from "./live_output.js";
import { marks } from "./marks.js";
import { Foreign, Problem } from "./parts.js";
import { OtherFields } from "./program.js";
import { Result } from "./result.js";
import { Files, storeFiles, Tabs, withSource } from "./run_files.js";
import { SAMPLES } from "./languages.js";
import { Share, unpack } from "./share.js";
import { Snippets } from "./snippets.js";
import { parts } from "./visible.js";
import { duration, waitingText } from "./words.js";

const TITLES = { running: "Running", stopping: "Stopping", storing: "Storing the files" };
const FIRST_WAIT_SECS = 0.1; // a program that ends so soon needs one request; the output of others is shown meanwhile
const SCARCE = 0.2; // of a quota: only less is worth a line
const POLL_WAIT_SECS = 10;
const LIMITS = [
  ["cpu_time_secs", "CPU time, s", "0.1"],
  ["wall_time_secs", "Wall time, s", "0.1"],
  ["memory_mb", "Memory, MB", "1"],
];

const PROFILES = {
  judge: "For short programs that are judged, such as solutions of a contest: the limits of their language, and no network.",
  agent: "For the programs of a language model or of a job: up to 30 s unless you set less, more processes, and the hosts that you name.",
};

/** What differs from the defaults, for the closed options. */
function optionsText({ profile, limits, hosts, artifacts }) {
  const set = LIMITS.filter(([name]) => limits[name]).map(([name, title]) => `${title.split(",")[0]} ${limits[name]}`);
  return [`${profile} profile`, ...set, hosts && `network: ${hosts}`, artifacts && `keeps ${artifacts}`].filter(Boolean).join(" · ");
}

/** On a narrow screen the result lies below the program. */
function showOutcome() {
  const outcome = document.querySelector(".outcome");
  if (outcome.getBoundingClientRect().top > window.innerHeight * 0.7) outcome.scrollIntoView({ block: "start" });
}

/** Names of the characters in a program that change how it looks, and that the editor does not show. */
function hiddenNames(code) {
  const names = new Set(parts(code).flatMap(({ text, isHidden }) => (isHidden ? [text] : [])));
  return names.size > 0 && html` <b>It has characters that the editor does not show: ${[...names].slice(0, 10).join(", ")}.</b>`;
}

export default class Run extends Component {
  state = {
    ...loadDraft(),
    before: null,
    linkError: null,
    languages: Object.keys(SAMPLES),
    tab: null, // the path of the source in the editor; null: the main program
    body: null,
    error: null,
    started: null,
    waited: 0,
    quota: {},
    marked: null, // the sources of the last run, and the lines that its error names
  };

  componentDidMount() {
    document.addEventListener("keydown", this.shortcut);
    this.openLink();
    get("api/languages").then(
      (languages) => this.setState({ languages }),
      () => {},
    );
  }

  componentDidUpdate(before) {
    if (before.query !== this.props.query) this.openLink();
  }

  componentWillUnmount() {
    document.removeEventListener("keydown", this.shortcut);
    this.stopWaiting();
  }

  shortcut = (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.run();
  };

  change = (changes) => this.setState(changes, () => saveDraft(this.state));

  newSource = () => {
    const files = withSource(this.state.files, this.state.language);
    this.change({ files, tab: files.at(-1).path });
  };

  /** Take the files of the form. A source that got another path stays in the editor. */
  changeFiles = (files, old, one) => this.change({ files, ...(old?.path === this.state.tab && { tab: one?.path ?? null }) });

  edit(source, text) {
    if (source) this.change({ files: this.state.files.map((file) => (file === source ? { ...file, text } : file)) });
    else this.change({ code: text });
  }

  choose = (language) => {
    const isSample = Object.values(SAMPLES).includes(this.state.code) || this.state.code.trim() === "";
    this.change({ language, ...(isSample && { code: SAMPLES[language] ?? "" }) });
  };

  /** Show the program of a link. It never runs by itself. */
  async openLink() {
    const packed = this.props.query.get("share");
    if (!packed) return;
    history.replaceState(null, "", "#/run"); // a reload shows what its reader has made of it
    const before = loadDraft();
    try {
      const draft = draftOf(await unpack(packed));
      if (!this.state.languages.includes(draft.language)) throw new TypeError("the language is unknown");
      this.change({ ...draft, tab: null, before, linkError: null, body: null, error: null });
    } catch (error) {
      const isOurs = error.status !== undefined;
      this.setState({ linkError: isOurs ? error : new ApiError(422, "", "This link holds no program that can run here.") });
    }
  }

  back = () => this.change({ ...this.state.before, tab: null, before: null });

  stopWaiting() {
    this.stop?.abort();
    clearInterval(this.clock);
  }

  run = async () => {
    if (this.state.started) return;
    this.stop = new AbortController();
    const started = Date.now();
    const { code, files } = this.state;
    this.setState({ marked: null, body: null, error: null, started, waited: 0, status: "sent", waits: "", id: null }, showOutcome);
    this.clock = setInterval(() => this.setState({ waited: Date.now() - started }), 100);
    try {
      const body = await this.result(this.stop.signal);
      this.setState(
        body.result ? { body, marked: { code, files, lines: marks(body.output?.stderr ?? "", files.map(({ path }) => path)) } } : { error: new ApiError(0, "", `Run ${body.id} takes long. Find it under Runs.`) },
      );
    } catch (error) {
      if (error.name === "AbortError") return; // `cancel` shows the end
      this.setState({ error });
    }
    this.stopWaiting();
    this.setState({ started: null });
  };

  /** Submit, and poll until the run is final. The idempotency key makes a repeat after a lost answer safe. */
  async result(signal) {
    this.sent = null;
    this.setState({ status: "storing" });
    await storeFiles(this.state.files, signal);
    this.setState({ status: "sent" });
    this.sent = { body: { ...requestOf(this.state), keep_code: true }, headers: { "idempotency-key": newId() } };
    const { body, headers } = await call("POST", "api/submit", { ...this.sent, query: { wait: FIRST_WAIT_SECS }, signal });
    this.setState({ quota: { left: headers.get("ratelimit-remaining"), limit: headers.get("ratelimit-limit") } });
    if (body.result) return body;
    this.setState({ id: body.id, waits: waitingText(body) });
    let wait = 1; // by then most programs run, and the page says so
    const ask = () => {
      const query = { wait };
      wait = POLL_WAIT_SECS;
      return get(`api/result/${body.id}`, query, signal);
    };
    return poll(ask, (answer) => answer.result !== null, {
      signal,
      onAnswer: (answer) => this.setState({ status: answer.status, waits: waitingText(answer) }),
    });
  }

  /** Stop the program. A repeat with its idempotency key gives its id, also while the first request waits. */
  cancel = async () => {
    this.stop?.abort();
    this.setState({ status: "stopping" });
    try {
      if (!this.sent) throw new ApiError(400, "", "It was stopped before its files were stored.");
      const { body } = await call("POST", "api/submit", this.sent);
      await call("POST", `api/result/${body.id}/cancel`);
      const final = await poll(() => get(`api/result/${body.id}`, { wait: POLL_WAIT_SECS }), (answer) => answer.result !== null, {});
      this.setState({ body: final });
    } catch (error) {
      this.setState({ error });
    }
    this.stopWaiting();
    this.setState({ started: null });
  };

  /** The lines that the error of the last run names, while their source is as it was. */
  marks() {
    const { marked, code, files } = this.state;
    const textOf = (path, its) => (path === null ? its.code : its.files.find((file) => file.path === path)?.text);
    return marked?.lines.filter(({ path }) => textOf(path, marked) === textOf(path, { code, files })) ?? [];
  }

  goTo = ({ path, line }) => this.setState({ tab: path }, () => goToLine("code", line));

  render(_, { language, languages, code, stdin, profile, limits, hosts, artifacts, files, tab, more, started, before, linkError }) {
    const request = requestOf(this.state);
    const source = files.find(({ path, text }) => path === tab && text !== undefined);
    const marked = this.marks();
    return html`<div class="run">
      <section class="workbench" aria-label="Program">
        <h1 tabindex="-1">Run a program</h1>
        ${linkError && html`<${Problem} error=${linkError} />`}
        ${
          before &&
          html`<p class="notice" role="status">This program came with a link. Read it, then run it.${hiddenNames([code, ...files.map(({ text }) => text ?? "")].join("\n"))}${" "}
          <button class="link" onClick=${this.back}>Back to my program</button></p>`
        }
        <div class="row controls-row">
          <label>Language <select value=${language} onChange=${(event) => this.choose(event.target.value)}>
            ${languages.map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
          <button class="primary" onClick=${this.run} disabled=${started !== null} aria-keyshortcuts="Control+Enter">
            Run <span class="for-keys"><kbd>Ctrl</kbd> <kbd>Enter</kbd></span></button>
        </div>
        <${Tabs} files=${files} chosen=${source?.path ?? null} onChoose=${(path) => this.setState({ tab: path })} onNew=${this.newSource} />
        <${Editor} id="code" label=${source ? `Source ${source.path}` : "Program"} code=${source?.text ?? code} language=${language}
          onChange=${(text) => this.edit(source, text)} marked=${marked.filter(({ path }) => path === (source?.path ?? null)).map(({ line }) => line)} />
        ${
          marked.length > 0 &&
          html`<ul class="marks" aria-label="Lines that the error names">${marked.map(
            (mark) => html`<li><button class="link" onClick=${() => this.goTo(mark)}>${mark.path && html`<${Foreign} text=${mark.path} />, `}line ${mark.line}</button>${" "}
            <${Foreign} text=${mark.message} /></li>`,
          )}</ul>`
        }
      </section>
      <section class="outcome" aria-label="Result" aria-busy=${started !== null}>${this.outcome()}</section>
      <section class="rest" aria-label="Inputs and options">
        <${Files} files=${files} onChange=${this.changeFiles} />
        <label class="stdin">Standard input
          <textarea rows="3" spellcheck=${false} value=${stdin} onInput=${(event) => this.change({ stdin: event.target.value })}></textarea></label>
        <details class="options"><summary>Options: <${Foreign} text=${optionsText(this.state)} /></summary><div class="inputs">
          <label>Profile <select value=${profile} aria-describedby="profile-note" onChange=${(event) => this.change({ profile: event.target.value })}>
            ${Object.keys(PROFILES).map((name) => html`<option value=${name}>${name}</option>`)}</select></label>
          <p id="profile-note" class="quiet">${PROFILES[profile]}</p>
          <fieldset><legend>Limits</legend>${LIMITS.map(
            ([name, title, step]) => html`<label>${title}
            <input type="number" min="0" step=${step} placeholder="default" value=${limits[name] ?? ""}
              onInput=${(event) => this.change({ limits: { ...limits, [name]: event.target.value } })} /></label>`,
          )}</fieldset>
          <label class="stdin">Hosts that the program may reach, in the agent profile
            <input type="text" spellcheck=${false} autocomplete="off" placeholder="none; api.example.com, *.example.org:8443"
              value=${hosts} onInput=${(event) => this.change({ hosts: event.target.value })} /></label>
          <label class="stdin">Files of the program to keep
            <input type="text" spellcheck=${false} autocomplete="off" placeholder="none; out/*.png, **/*.csv, or changed"
              value=${artifacts} onInput=${(event) => this.change({ artifacts: event.target.value })} /></label>
        </div></details>
        ${
          Object.keys(more).length > 0 &&
          html`<div class="row"><${OtherFields} more=${more} />
          <button class="small" onClick=${() => this.change({ more: {} })}>Leave them out</button></div>`
        }
        <div class="row"><${Share} request=${request} /></div>
        <${Snippets} body=${request} />
      </section>
    </div>`;
  }

  outcome() {
    const { body, error, started, waited, quota, status, waits, id } = this.state;
    if (started) {
      return html`<div class="hero verdict-open" role="status"><span class="code" aria-hidden="true">···</span>
        <div><h2>${TITLES[status] ?? "Waiting for the result"}</h2>
          ${waits && html`<p>${waits}</p>`}<p aria-hidden="true">${duration(Math.max(waited, 1))}</p></div></div>
        <button onClick=${this.cancel} disabled=${status === "stopping"}>Stop</button>
        ${id && html`<${LiveOutput} key=${id} id=${id} />`}`;
    }
    if (error) return html`<${Problem} error=${error} again=${this.run} />`;
    if (!body) {
      return html`<div class="empty"><p class="big" aria-hidden="true">${">_"}</p><h2>The verdict appears here</h2>
        <p><span class="for-keys">Press <kbd>Ctrl</kbd> <kbd>Enter</kbd>. </span>Every run has a sandbox of its own, without network unless you name hosts.</p></div>`;
    }
    return html`<${Result} body=${body} />
      <p><a href=${`#/runs/${body.id}`}>Timeline and details of this run</a></p>
      ${quota.left / quota.limit < SCARCE && html`<p class="warning">${Number(quota.left).toLocaleString()} of ${Number(quota.limit).toLocaleString()} runs are left in this window of your quota.</p>`}`;
  }
}
