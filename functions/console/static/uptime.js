// The history of a check as a picture: for 7 or 30 days, how much of each part the check was down, and where there is no
// data.
import { Component, html } from "./dom.js";
import { LocalTime } from "./parts.js";
import { duration, localTime } from "./words.js";

const HOUR_MS = 3_600_000;
/** Days, and the hours of each bar. */
const SPANS = [
  [7, 6],
  [30, 24],
];
const [WIDTH, HEIGHT, LOWEST] = [10, 48, 5];
const MOST_SHOWN = 20;

const overlap = (one, from, to) => Math.max(0, Math.min(one.until, to) - Math.max(one.since, from));

/** The bars of a span that ends now: `knownMs`, the time with data, and `downMs` of it. */
function barsOf(outages, observed, now, [days, hours]) {
  const step = hours * HOUR_MS;
  const total = (stretches, from, to) => stretches.reduce((sum, one) => sum + overlap(one, from, to), 0);
  return Array.from({ length: (days * 24) / hours }, (_, index) => {
    const from = now - days * 24 * HOUR_MS + index * step;
    const known = observed.map(({ since, until }) => [Math.max(since, from), Math.min(until, from + step)]);
    const downMs = known.reduce((sum, [since, until]) => sum + total(outages, since, until), 0);
    return { from, knownMs: total(observed, from, from + step), downMs };
  });
}

const wordsOf = ({ knownMs, downMs }) =>
  knownMs === 0 ? "no data" : downMs === 0 ? "up" : `down for ${duration(downMs)}`;

/** A share in percent, cut: 100.00 without an outage only. */
const percent = (share) => (Math.floor(share * 10_000) / 100).toFixed(2);

function Bar({ bar, index }) {
  const share = bar.knownMs > 0 ? bar.downMs / bar.knownMs : 0;
  const down = share > 0 ? Math.max(LOWEST, HEIGHT * share) : 0;
  return html`<g><title>${localTime(bar.from)}: ${wordsOf(bar)}</title>
    <rect class=${bar.knownMs > 0 ? "bar-good" : "bar-none"} x=${index * WIDTH} y="0" width=${WIDTH - 2} height=${HEIGHT} rx="1" />
    ${down > 0 && html`<rect class="bar-bad" x=${index * WIDTH} y=${HEIGHT - down} width=${WIDTH - 2} height=${down} rx="1" />`}</g>`;
}

function Outage(outage) {
  const length = outage.lasts ? "it lasts" : duration(outage.until - outage.since);
  return html`<li key=${outage.since}><${LocalTime} at=${outage.since} />: ${outage.state}, ${length}</li>`;
}

/** `outages`: the answer of the API. */
export class Uptime extends Component {
  state = { span: SPANS[0], now: Date.now() };

  render({ outages: answer }, { span, now }) {
    const [days] = span;
    const stretch = ({ since, until, state }) => ({
      since: Date.parse(since),
      until: until === null ? now : Date.parse(until),
      lasts: until === null,
      state,
    });
    const [outages, observed] = [answer.items.map(stretch), answer.observed.map(stretch)];
    const bars = barsOf(outages, observed, now, span);
    const start = bars[0].from;
    const sum = (name) => bars.reduce((total, bar) => total + bar[name], 0);
    const [known, down] = [sum("knownMs"), sum("downMs")];
    const shown = outages.filter(({ until }) => until >= start);
    const first = observed.find(({ until }) => until > start)?.since;
    const missing = known > 0 ? now - Math.max(first, start) - known : 0;
    const facts = [
      known > 0 ? `up ${percent((known - down) / known)} %${first > start ? ` since ${localTime(first)}` : ""}` : "no data",
      `${shown.length} ${shown.length === 1 ? "outage" : "outages"}`,
      down > 0 && `down for ${duration(down)}`,
      missing > 0 && `without data for ${duration(missing)}`,
    ];
    const text = `The last ${days} days: ${facts.filter(Boolean).join("; ")}.`;
    return html`<h2 class="after">History</h2>
      <div class="row" role="group" aria-label="Span">${SPANS.map(
        (each) => html`<button class="small" aria-pressed=${each === span} onClick=${() => this.setState({ span: each, now: Date.now() })}>${each[0]} days</button>`,
      )}</div>
      <svg class="uptime" role="img" aria-label=${text} viewBox=${`0 0 ${bars.length * WIDTH - 2} ${HEIGHT}`} preserveAspectRatio="none">
        ${bars.map((bar, index) => html`<${Bar} bar=${bar} index=${index} />`)}</svg>
      <p class="quiet">${text}</p>
      ${
        shown.length > 0 &&
        html`<details><summary>Outages</summary>
        <ul>${shown.slice(0, MOST_SHOWN).map(Outage)}</ul></details>`
      }`;
  }
}
