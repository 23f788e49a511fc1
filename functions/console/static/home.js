// Home: the runs of today, and what fails. Each number leads to its list.
import { get } from "./api.js";
import { html } from "./dom.js";
import { Badge } from "./result.js";
import { Foreign, Loaded } from "./parts.js";
import { countsToday, duration, sum, VERDICTS } from "./words.js";

const HEIGHT = 32;
const STEP = 8;
const PAGE = 100;
const BAD_CHECKS = ["failing", "error", "late"];

/** Read it all: a key that reads the overview reads the lists too. */
async function readAll(signal) {
  const [overview, endpoints, ...checks] = await Promise.all([
    get("api/overview", {}, signal),
    get("api/webhooks", { limit: PAGE }, signal),
    ...BAD_CHECKS.map((state) => get("api/checks", { state, limit: PAGE }, signal)),
  ]);
  return { overview, endpoints, checks };
}

/** How many items these pages have, with a plus if there are more. */
const howMany = (items, pages) => `${items.length}${pages.some((page) => page.next_cursor) ? "+" : ""}`;

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
  const today = countsToday(overview.hours);
  const { judged = 0, ...byVerdict } = today;
  const perHour = overview.hours.map(({ verdicts }) => sum(verdicts));
  const bad = checks.flatMap(({ items }) => items);
  const failing = endpoints.items.filter(({ health }) => health !== "active");
  const bars = (name, label, say) => html`<${Hours} values=${overview.hours.map((hour) => hour[name])} say=${say} label=${label} />`;
  return html`<ul class="cards">
      <${Card} title="Runs today" value=${sum(today)} href=${`#/runs?since=${since}`}>
        <${Hours} values=${perHour} say=${(count) => `${count} runs`} label="Runs" />
        <ul class="tallies">${Object.entries(byVerdict).map(([verdict, count]) => html`<li><a href=${`#/runs?verdict=${verdict}&since=${since}`}>
          <${Badge} verdict=${verdict} /> ${count} <span class="sr">${VERDICTS[verdict]}</span></a></li>`)}
          ${judged > 0 && html`<li><a href=${`#/runs?kind=judge&since=${since}`}>${judged} judge runs</a></li>`}</ul>
      <//>
      <${Card} title="95 of 100 runs ended within" value=${duration(overview.p95_ms)} href="#/runs?status=completed">
        ${bars("p95_ms", "Time within which 95 of 100 runs ended", duration)}
        <p class="quiet">from acceptance to end, in the last 24 hours</p>
      <//>
      <${Card} title="Waiting or running" value=${overview.queued} href="#/runs?status=pending">
        ${bars("wait_ms", "Mean wait of the project's runs for their start", duration)}
        <p class="quiet">in the queues of the service, all projects together; bars: how long runs of this project waited</p><//>
      <${Card} title="Failing checks" value=${howMany(bad, checks)} href="#/checks">
        ${bars("failed_checks", "Failed runs of checks", (count) => `${count} failed`)}
        <p class="quiet">bars: runs that failed</p>
        <ul>${bad.slice(0, 5).map(({ id, name, state }) => html`<li><a href=${`#/checks/${id}`}><${Foreign} text=${name} /></a> <span class="quiet">${state}</span></li>`)}</ul><//>
      <${Card} title="Failing endpoints" value=${howMany(failing, [endpoints])} href="#/webhooks">
        ${bars("failed_attempts", "Failed attempts of webhooks", (count) => `${count} failed`)}
        <p class="quiet">bars: attempts that failed</p>
        <ul>${failing.slice(0, 5).map(({ id, url, health }) => html`<li><a href=${`#/webhooks/${id}`}><${Foreign} text=${url} /></a> <span class="quiet">${health}</span></li>`)}</ul><//>
    </ul>`;
}

export default function Home() {
  return html`<h1 tabindex="-1">Home</h1>
    <${Loaded} what="the overview" load=${readAll} show=${(all, reload) => html`<${Overview} ...${all} />
      <div class="row after-list"><button class="small" onClick=${reload}>Refresh</button><a class="button primary" href="#/run">Run a program</a></div>`} />`;
}
