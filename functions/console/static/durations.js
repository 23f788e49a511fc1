// How long the runs of a check took: a line over the last ones, with its marks in words.
import { html } from "./dom.js";
import { localTime, seconds } from "./words.js";

const [WIDTH, HEIGHT, EDGE] = [600, 90, 5];

/** `runs`: newest first, as the API lists them. */
export function Durations({ runs }) {
  const timed = runs.filter(({ wall_time_secs: secs }) => secs !== null).reverse();
  if (timed.length < 2) return null;
  const times = timed.map(({ wall_time_secs: secs }) => secs);
  const most = Math.max(...times, 0.001);
  const sorted = times.toSorted((a, b) => a - b);
  const point = (secs, index) => [(index * WIDTH) / (times.length - 1), HEIGHT - EDGE - ((HEIGHT - 2 * EDGE) * secs) / most];
  const points = times.map(point);
  const text = `Wall time of the last ${times.length} runs: from ${seconds(sorted[0])} to ${seconds(sorted.at(-1))}, half of them at most ${seconds(sorted[Math.ceil(times.length / 2) - 1])}.`;
  return html`<h2 class="after">Duration</h2>
    <svg class="durations" role="img" aria-label=${text} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
      <polyline points=${points.map((at) => at.join(",")).join(" ")} />
      ${points.map(([x, y], index) => html`<rect class=${timed[index].status === "failed" ? "bar-bad" : "hit"} x=${x - 3} y=${y - 3} width="6" height="6">
        <title>${localTime(timed[index].scheduled_at)}: ${seconds(times[index])}, ${timed[index].status}</title></rect>`)}</svg>
    <p class="quiet">${text}</p>`;
}
