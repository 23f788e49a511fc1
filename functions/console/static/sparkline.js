// The history of a check as a picture: one bar a run, as high as the run was long, with the colour of its end.
import { html } from "./dom.js";
import { seconds } from "./words.js";

const HEIGHT = 28;
const STEP = 7;
const LOWEST = 5;

const TONES = { passed: "good", flaky: "slow", failed: "bad", error: "heavy", missed: "none", skipped: "none" };

/** `runs`: newest first, as the API lists them. */
export function Sparkline({ runs }) {
  const ended = runs
    .filter(({ status }) => status in TONES)
    .slice(0, 30)
    .reverse();
  if (ended.length === 0) return html`<p class="quiet">No runs yet.</p>`;
  const longest = Math.max(...ended.map((run) => run.wall_time_secs ?? 0), 0.001);
  const counts = Object.entries(Object.groupBy(ended, ({ status }) => status)).map(
    ([status, all]) => `${all.length} ${status}`,
  );
  const label = `The last ${ended.length} runs: ${counts.join(", ")}. The newest ${ended.at(-1).status}.`;
  return html`<svg class="sparkline" role="img" aria-label=${label} viewBox=${`0 0 ${ended.length * STEP} ${HEIGHT}`}
      width=${ended.length * STEP} height=${HEIGHT}>
    ${ended.map((run, index) => {
      const height = LOWEST + ((HEIGHT - LOWEST) * (run.wall_time_secs ?? 0)) / longest;
      return html`<rect class=${`bar-${TONES[run.status]}`} x=${index * STEP} y=${HEIGHT - height} width=${STEP - 2} height=${height} rx="1">
        <title>${run.status}, ${seconds(run.wall_time_secs)}</title></rect>`;
    })}</svg>`;
}
