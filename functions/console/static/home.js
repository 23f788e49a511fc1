// Home: the runs of today, and what fails. Each number leads to its list.
import { get } from "./api.js";
import { html } from "./dom.js";
import { Badge } from "./result.js";
import { Foreign, Loaded } from "./parts.js";
import { duration, VERDICTS } from "./words.js";

const HOUR_MS = 3_600_000;
const HEIGHT = 32;
const STEP = 8;
const BAD_CHECKS = ["failing", "error", "late"];

/** Return what a key may read of it all: a list that it may not read is null. */
async function readAll(signal) {
  const optional = async (path, query) => {
    try {
      return (await get(path, query, signal)).items;
    } catch (error) {
      if (error.status === 403) return null;
      throw error;
    }
  };
  const [overview, endpoints, ...checks] = await Promise.all([
    get("api/overview", {}, signal),
    optional("api/webhooks", { limit: 100 }),
    ...BAD_CHECKS.map((state) => optional("api/checks", { state, limit: 100 })),
  ]);
  return { overview, endpoints, checks: checks.flat().filter(Boolean) };
}

const sum = (counts) => counts.reduce((total, count) => total + count, 0);

/** Bars of 24 hours. `values`: one an hour, the newest last; null: none. `say`: a value in words. */
function Hours({ values, say, label }) {
  const most = Math.max(...values.map((value) => value ?? 0), 1);
  return html`<svg class="sparkline" role="img" aria-label=${`${label}, by hour: ${values.map((value) => say(value)).join(", ")}`}
      viewBox=${`0 0 ${values.length * STEP} ${HEIGHT}`} width=${values.length * STEP} height=${HEIGHT}>${values.map(
        (value, index) => {
          const height = value ? Math.max(3, (HEIGHT * value) / most) : 1;
          return html`<rect class=${value ? "bar-accent" : "bar-none"} x=${index * STEP} y=${HEIGHT - height} width=${STEP - 2} height=${height}>
            <title>${say(value)}</title></rect>`;
        },
      )}</svg>`;
}

function Card({ title, value, href, children }) {
  return html`<li class="card"><h2>${title}</h2><a class="number" href=${href}>${value}</a>${children}</li>`;
}

function Overview({ overview, endpoints, checks }) {
  const midnight = new Date().setHours(0, 0, 0, 0);
  const since = encodeURIComponent(new Date(midnight).toISOString());
  const today = {};
  // Midnight may lie within an hour of UTC: that hour counts.
  for (const hour of overview.hours.filter(({ at }) => Date.parse(at) + HOUR_MS > midnight))
    for (const [verdict, count] of Object.entries(hour.verdicts)) today[verdict] = (today[verdict] ?? 0) + count;
  const { judged = 0, ...byVerdict } = today;
  const perHour = overview.hours.map(({ verdicts }) => sum(Object.values(verdicts)));
  const failing = endpoints?.filter(({ health }) => health !== "active");
  return html`<ul class="cards">
      <${Card} title="Runs today" value=${sum(Object.values(today))} href=${`#/runs?since=${since}`}>
        <${Hours} values=${perHour} say=${(count) => `${count} runs`} label="Runs" />
        <ul class="tallies">${Object.entries(byVerdict).map(([verdict, count]) => html`<li><a href=${`#/runs?verdict=${verdict}&since=${since}`}>
          <${Badge} verdict=${verdict} /> ${count} <span class="sr">${VERDICTS[verdict]}</span></a></li>`)}
          ${judged > 0 && html`<li><a href=${`#/runs?kind=judge&since=${since}`}>${judged} judge runs</a></li>`}</ul>
      <//>
      <${Card} title="95 of 100 runs ended within" value=${duration(overview.p95_ms)} href="#/runs?status=completed">
        <${Hours} values=${overview.hours.map(({ p95_ms: ms }) => ms)} say=${duration} label="Time within which 95 of 100 runs ended" />
        <p class="quiet">from acceptance to end, in the last 24 hours</p>
      <//>
      <${Card} title="Waiting or running" value=${overview.queued} href="#/runs?status=pending">
        <p class="quiet">in the queues of the service, all projects together</p><//>
      <${Card} title="Failing checks" value=${checks.length} href="#/checks">
        <ul>${checks.slice(0, 5).map(({ id, name, state }) => html`<li><a href=${`#/checks/${id}`}><${Foreign} text=${name} /></a> <span class="quiet">${state}</span></li>`)}</ul><//>
      ${failing && html`<${Card} title="Failing endpoints" value=${failing.length} href="#/webhooks">
        <ul>${failing.slice(0, 5).map(({ id, url, health }) => html`<li><a href=${`#/webhooks/${id}`}><${Foreign} text=${url} /></a> <span class="quiet">${health}</span></li>`)}</ul><//>`}
    </ul>`;
}

export default function Home() {
  return html`<h1 tabindex="-1">Home</h1>
    <${Loaded} what="the overview" load=${readAll} show=${(all, reload) => html`<${Overview} ...${all} />
      <div class="row after-list"><button class="small" onClick=${reload}>Refresh</button><a class="button primary" href="#/run">Run a program</a></div>`} />`;
}
