// Small elements that all views share.
import { Component, html } from "./dom.js";
import { parts } from "./visible.js";
import { ago, bytes, localTime, utcTime } from "./words.js";

const SHOWN_CHARS = 20_000;

/** A text of a stranger within a line. */
export function Foreign({ text }) {
  return html`<bdi class="foreign">${parts(text).map((part) =>
    part.isHidden ? html`<span class="hidden-char">${part.text}</span>` : part.text,
  )}</bdi>`;
}

/** A block of text of a stranger, cut until the reader wants all of it. */
export class Output extends Component {
  state = { isWhole: false };

  render({ text, label, empty = "Nothing." }) {
    if (!text) return html`<p class="quiet">${empty}</p>`;
    const shown = this.state.isWhole ? text : text.slice(0, SHOWN_CHARS);
    const rest = text.length - shown.length;
    return html`
      <div class="copied"><pre class="output" tabindex="0" role="region" aria-label=${label}><${Foreign} text=${shown} /></pre>
        <${Copy} text=${text} of=${label} /></div>
      ${
        rest > 0 &&
        html`<button class="link" onClick=${() => this.setState({ isWhole: true })}>
        Show the other ${bytes(rest)}</button>`
      }`;
  }
}

/** How long ago, or how soon. The time itself shows on hover. */
export function Time({ at }) {
  return at ? html`<time datetime=${at} title=${`${localTime(at)}, ${utcTime(at)}`}>${ago(at)}</time>` : "–";
}

/** A time in the reader's zone, in UTC on hover. */
export function LocalTime({ at, kind = "" }) {
  return html`<time class=${kind} datetime=${at} title=${utcTime(at)}>${localTime(at)}</time>`;
}

const TIMES = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))/;

/** A sentence of the service, with its times in the reader's zone. */
export const Sentence = ({ text }) =>
  text.split(TIMES).map((part) => TIMES.test(part) && Date.parse(part) ? html`<${LocalTime} at=${part} />` : html`<${Foreign} text=${part} />`);

const TITLE_CHARS = 80;

/** The title of the page: the thing that it shows. */
export class Title extends Component {
  componentDidMount() {
    const shown = parts(this.props.text).map(({ text }) => text);
    document.title = `${shown.join("").slice(0, TITLE_CHARS)} · Rustbox console`;
  }

  componentDidUpdate() {
    this.componentDidMount();
  }

  render() {
    return null;
  }
}

export function Loading({ what }) {
  return html`<div class="loading" role="status"><span class="spinner" aria-hidden="true"></span>Loading ${what}…</div>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2>${children}</div>`;
}

/** A failed call: what happened, and the way out. A repeat is offered where it may help. */
export function Problem({ error, again }) {
  return html`<div class="problem" role="alert">
    <strong>${error.status === 0 ? "No connection" : "That did not work"}</strong>
    <p><${Foreign} text=${error.message} /></p>
    ${
      error.fields?.length > 0 &&
      html`<ul>${error.fields.map(
        (each) => html`<li><code>${each.field}</code>: <${Foreign} text=${each.message} /></li>`,
      )}</ul>`
    }
    ${error.retryAfterSecs && html`<p>Try again in ${error.retryAfterSecs} s.</p>`}
    ${again && error.mayPass && html`<button onClick=${again}>Try again</button>`}
    ${error.requestId && html`<p class="quiet">Request <code>${error.requestId}</code></p>`}
  </div>`;
}

/** A button that does something slow. It says so, and shows a failure beside itself. */
export class Action extends Component {
  state = { isBusy: false, error: null };

  run = async () => {
    this.setState({ isBusy: true, error: null });
    try {
      await this.props.does();
      this.setState({ isBusy: false });
    } catch (error) {
      this.setState({ isBusy: false, error });
    }
  };

  render({ children, kind = "" }, { isBusy, error }) {
    return html`<button type="button" class=${kind} disabled=${isBusy} onClick=${this.run}>${isBusy ? "Working…" : children}</button>
      ${error && html`<${Problem} error=${error} />`}`;
  }
}

/** An action that a second button confirms. `children`: what it does, and what is lost. */
export class Confirmed extends Component {
  state = { isAsked: false };

  ask = (isAsked) => () => this.setState({ isAsked });

  render({ label, does, children }, { isAsked }) {
    return isAsked
      ? html`<div class="sheet confirm" role="group" aria-label=${label}>${children}
          <div class="row"><${Action} does=${does} kind="primary">${label}<//>
            <button onClick=${this.ask(false)}>Keep it as it is</button></div></div>`
      : html`<button onClick=${this.ask(true)}>${label}…</button>`;
  }
}

/** A button that copies a text: all of it, as it is. `of`: what it is, for those who do not see the page. */
export class Copy extends Component {
  state = { said: "" };

  copy = async () => {
    try {
      await navigator.clipboard.writeText(this.props.text);
      this.setState({ said: "Copied" });
    } catch {
      this.setState({ said: "Select the text to copy it" });
    }
    setTimeout(() => this.setState({ said: "" }), 2000);
  };

  render({ label = "Copy", of }, { said }) {
    return html`<button type="button" class="small" onClick=${this.copy} aria-live="polite">${said || label}${!said && of && html`<span class="sr"> ${of}</span>`}</button>`;
  }
}

/** An id or an address in full, with its button. `of`: what it is. */
export const Copied = ({ text, of }) => html`<code><${Foreign} text=${text} /></code> <${Copy} text=${text} of=${of} />`;

/** An explanation that is closed until somebody asks. */
export const Help = ({ title, children }) => html`<details class="help"><summary>${title}</summary>${children}</details>`;

/** A table of a list: `row(item)` draws one row. On a phone each row is a paragraph. */
export function Table({ heads, items, row }) {
  return html`<table class="list stacked">
    <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
    <tbody>${items.map(row)}</tbody>
  </table>`;
}

/** Metadata of a client, for Facts. */
export const metadataFacts = (metadata) =>
  Object.entries(metadata ?? {}).map(([name, value]) => [
    html`<${Foreign} text=${name} />`,
    html`<${Foreign} text=${value} />`,
  ]);

/** Names and values. Pairs without a value are left out. */
export function Facts({ facts }) {
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  return html`<dl class="facts">${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

const MOST_REFRESHES = 120;

/**
 * A component that loads something, and shows loading, failure and what came: `load(signal, show)` and `show(data)`. With `everySecs` it loads
 * again so often: a bounded number of times, in a tab that is seen, and not after a failure.
 */
export class Loaded extends Component {
  state = { data: null, error: null };
  refreshes = 0;

  componentDidMount() {
    this.load();
    if (!this.props.everySecs) return;
    this.timer = setInterval(this.refresh, this.props.everySecs * 1000);
    document.addEventListener("visibilitychange", this.seen);
  }

  componentWillUnmount() {
    this.stop?.abort();
    clearInterval(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
  }

  seen = () => Date.now() - this.loadedAt > this.props.everySecs * 1000 && this.refresh();

  refresh = () => {
    const { data, error } = this.state;
    if (document.hidden || data === null || error || this.isLoading || this.refreshes >= MOST_REFRESHES) return;
    this.refreshes += 1;
    this.load();
  };

  load = async () => {
    this.stop?.abort();
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.setState({ error: null });
    this.isLoading = true;
    try {
      const isFirst = this.state.data === null;
      const data = await this.props.load(signal, (partial) => isFirst && this.setState({ data: partial }));
      if (signal.aborted) return;
      this.setState({ data });
    } catch (error) {
      if (error.name === "AbortError") return;
      this.setState({ error });
    }
    this.isLoading = false;
    this.loadedAt = Date.now();
  };

  render({ what, show }, { data, error }) {
    return html`${error && html`<${Problem} error=${error} again=${this.load} />`}
      ${data !== null ? show(data, this.load) : !error && html`<${Loading} what=${what} />`}`;
  }
}
