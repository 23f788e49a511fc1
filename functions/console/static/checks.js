// The board of checks, with states and histories.
import { get } from "./api.js";
import { Check, EditedCheck, State } from "./check.js";
import { CheckForm } from "./check_form.js";
import { html } from "./dom.js";
import { Empty, Foreign, Loaded, Title } from "./parts.js";
import { Sparkline } from "./sparkline.js";
import { ago } from "./words.js";

const MOST_CARDS = 50;
const AT_ONCE = 4;
const WORST_FIRST = ["failing", "error", "late", "flaky", "new", "up", "paused"];

/** The checks with their histories; a few histories are asked for at once. `show` gets what is known so far. */
async function board(signal, show) {
  const { items } = await get("api/checks", { limit: MOST_CARDS }, signal);
  const checks = items.toSorted((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state));
  const histories = {};
  show({ checks, histories });
  const waiting = [...checks];
  const work = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      histories[check.id] = (await get(`api/checks/${check.id}/runs`, { limit: 30 }, signal)).items;
      show({ checks, histories });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { checks, histories };
}

function Card({ check, runs }) {
  const [next] = check.next_runs;
  const isPast = next && Date.parse(next) < Date.now();
  const soon =
    check.kind === "heartbeat"
      ? isPast
        ? "a ping is due"
        : `late without a ping ${ago(next)}`
      : isPast
        ? "the next run is due"
        : `next run ${ago(next)}`;
  const since = check.state_since ? `${check.state} since ${ago(check.state_since)}` : "not run yet";
  return html`<li class="card">
    <div class="row"><${State} state=${check.state} />
      <a class="card-title" href=${`#/checks/${check.id}`}><${Foreign} text=${check.name} /></a></div>
    ${runs ? html`<${Sparkline} runs=${runs} />` : html`<p class="quiet">Loading the history…</p>`}
    <p class="quiet">${since}${next && ` · ${soon}`}</p>
  </li>`;
}

function Board() {
  return html`<div class="row"><h1 tabindex="-1" class="grow">Checks</h1><a class="button primary" href="#/checks/new">New check</a></div>
    <${Loaded} what="checks" everySecs=${30} load=${board} show=${({ checks, histories }, reload) =>
      checks.length === 0
        ? html`<${Empty} title="No checks yet">
          <p>A check is a program that runs by itself, on a schedule or an event; or a heartbeat, to which a job elsewhere reports.</p><//>`
        : html`<${Tally} checks=${checks} reload=${reload} /><ul class="cards">${checks.map(
            (check) => html`<${Card} key=${check.id} check=${check} runs=${histories[check.id]} />`,
          )}</ul>`} />
    <p class="after"><a href="#/secrets">Secrets that programs use without seeing them</a></p>`;
}

function Tally({ checks, reload }) {
  const counts = WORST_FIRST.map((state) => [state, checks.filter((check) => check.state === state).length]);
  return html`<div class="row tally">${counts
    .filter(([, count]) => count > 0)
    .map(([state, count]) => html`<span><b>${count}</b> <${State} state=${state} /></span>`)}
    <button class="small" onClick=${reload}>Refresh</button></div>`;
}

function NewCheck() {
  return html`<p class="crumbs"><a href="#/checks">Checks</a></p><h1 tabindex="-1">New check</h1><${Title} text="New check" />
    <${CheckForm} done=${(check) => location.assign(`#/checks/${check.id}`)} />`;
}

export default function Checks({ id, query }) {
  if (id === "new") return html`<${NewCheck} />`;
  if (id && query.has("edit")) return html`<${EditedCheck} key=${id} id=${id} />`;
  return id ? html`<${Check} key=${id} id=${id} />` : html`<${Board} />`;
}
