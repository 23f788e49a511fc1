// The deliveries of an endpoint in the last day as a picture: how many an hour, how they ended, and how long answers took.
import { get } from "./api.js";
import { OPEN, tone } from "./delivery_list.js";
import { html } from "./dom.js";
import { Loaded } from "./parts.js";
import { duration, localTime } from "./words.js";

const HOURS = 24;
const HOUR_MS = 3_600_000;
const MOST_PAGES = 5;
const PAGE = 100;
const [WIDTH, HEIGHT] = [20, 60];

/** The newest deliveries of the endpoint, at most 500, back to the beginning of the day before now. */
async function newest(endpoint, since, signal) {
  const found = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { items, next_cursor: next } = await get("api/deliveries", { endpoint_id: endpoint, limit: PAGE, cursor }, signal);
    found.push(...items);
    if (!next || Date.parse(items.at(-1).created_at) < since) return { found, isWhole: true };
    cursor = next;
  }
  return { found, isWhole: false };
}

const middle = (sorted, share) => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];

/** Hours from the oldest to the newest: counts, and latencies of the last attempts in ascending order. */
function hoursOf(deliveries, since) {
  const hours = Array.from({ length: HOURS }, (_, index) => ({ from: since + index * HOUR_MS, good: 0, open: 0, bad: 0, latencies: [] }));
  for (const { created_at: at, state, last_attempt: last } of deliveries) {
    const hour = hours[Math.floor((Date.parse(at) - since) / HOUR_MS)];
    if (!hour) continue;
    hour[OPEN.includes(state) ? "open" : tone(state) === "AC" ? "good" : "bad"] += 1;
    if (last?.latency_ms !== undefined && last.latency_ms !== null) hour.latencies.push(last.latency_ms);
  }
  for (const hour of hours) hour.latencies.sort((a, b) => a - b);
  return hours;
}

function Hour({ hour, index, most }) {
  const { good, open, bad, latencies } = hour;
  const heights = [bad, open, good].map((count) => (HEIGHT * count) / most);
  const words = `${localTime(hour.from)}: ${good} delivered, ${bad} failed, ${open} open${latencies.length > 0 ? `, half answered in ${duration(middle(latencies, 0.5))}` : ""}`;
  let top = HEIGHT;
  return html`<g><title>${words}</title>
    <rect class="bar-none" x=${index * WIDTH} y=${HEIGHT - 1} width=${WIDTH - 3} height="1" />
    ${["bad", "slow", "good"].map((name, place) => {
      top -= heights[place];
      return heights[place] > 0 && html`<rect class=${`bar-${name}`} x=${index * WIDTH} y=${top} width=${WIDTH - 3} height=${heights[place]} />`;
    })}</g>`;
}

function Latency({ hours, most }) {
  const points = hours.flatMap(({ latencies }, index) =>
    latencies.length > 0 ? [[index * WIDTH + (WIDTH - 3) / 2, HEIGHT - 4 - ((HEIGHT - 8) * middle(latencies, 0.5)) / most]] : [],
  );
  return html`<polyline points=${points.map((at) => at.join(",")).join(" ")} />
    ${points.map(([x, y]) => html`<rect class="hit" x=${x - 2} y=${y - 2} width="4" height="4" />`)}`;
}

function Pictures({ found, isWhole, since }) {
  const hours = hoursOf(found, since);
  const sum = (name) => hours.reduce((total, hour) => total + hour[name], 0);
  const latencies = hours.flatMap((hour) => hour.latencies).sort((a, b) => a - b);
  const [good, open, bad] = [sum("good"), sum("open"), sum("bad")];
  if (good + open + bad === 0) return html`<p class="quiet">No deliveries in the last 24 hours.</p>`;
  const most = Math.max(...hours.map((hour) => hour.good + hour.open + hour.bad));
  const counts = `${isWhole ? "The last 24 hours" : `The newest ${found.length}`}: ${good} delivered, ${bad} failed, ${open} open; at most ${most} an hour.`;
  const answers = latencies.length > 0 && `Last answers: half in ${duration(middle(latencies, 0.5))}, 95 % in ${duration(middle(latencies, 0.95))}.`;
  const box = `0 0 ${HOURS * WIDTH - 3} ${HEIGHT}`;
  const slowest = Math.max(1, ...hours.map((hour) => middle(hour.latencies, 0.5) ?? 0));
  return html`<svg class="uptime" role="img" aria-label=${counts} viewBox=${box} preserveAspectRatio="none">${hours.map(
    (hour, index) => html`<${Hour} hour=${hour} index=${index} most=${most} />`,
  )}</svg><p class="quiet">${counts}</p>
  ${answers && html`<svg class="durations" role="img" aria-label=${answers} viewBox=${box} preserveAspectRatio="none"><${Latency} hours=${hours} most=${slowest} /></svg>
    <p class="quiet">${answers}</p>`}`;
}

export function DeliveryChart({ endpoint }) {
  const load = async (signal) => {
    const since = (Math.floor(Date.now() / HOUR_MS) - HOURS + 1) * HOUR_MS;
    return { ...(await newest(endpoint, since, signal)), since };
  };
  return html`<h2 class="after">Deliveries an hour</h2><${Loaded} what="deliveries" everySecs=${60} load=${load} show=${(data) => html`<${Pictures} ...${data} />`} />`;
}
