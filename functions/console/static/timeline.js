// One run from its request to the last attempt of its last webhook.
import { get, poll } from "./api.js";
import { OPEN, tone } from "./delivery_list.js";
import { html } from "./dom.js";
import { Foreign, Loaded, LocalTime } from "./parts.js";
import { duration, localTime, plain, verdictTitle } from "./words.js";
import { whyFailed } from "./failures.js";

const MOST_DELIVERIES = 20;

/** The deliveries of a run with their attempts, each with the URL of its endpoint if that still exists. */
async function deliveries(id, signal) {
  const [{ items }, endpoints] = await Promise.all([
    get("api/deliveries", { submission_id: id, limit: MOST_DELIVERIES }, signal),
    get("api/webhooks", { limit: 100 }, signal),
  ]);
  const urls = new Map(endpoints.items.map((each) => [each.id, each.url]));
  const details = await Promise.all(items.map((each) => get(`api/deliveries/${each.id}`, {}, signal)));
  return details.map((each) => ({ ...each, url: urls.get(each.endpoint_id) }));
}

function stepsOfRun({ timestamps, metrics, result, language }) {
  const steps = [{ at: timestamps.created_at, title: "Request accepted", tone: "open" }];
  if (timestamps.started_at) {
    steps.push({
      at: timestamps.started_at,
      title: "Started",
      text: metrics && `after ${duration(metrics.queue_ms)} of waiting`,
      tone: "open",
    });
  }
  if (metrics?.compile_ms) {
    const how = metrics.compile_cached ? "from the compile cache" : `in ${duration(metrics.compile_ms)}`;
    steps.push({ title: `Compiled ${language}`, text: how, tone: "open" });
  }
  if (result) {
    const ran = metrics?.run_ms !== null && metrics?.run_ms !== undefined ? `ran for ${duration(metrics.run_ms)}` : "";
    steps.push({
      at: timestamps.completed_at,
      title: `${result.verdict}: ${verdictTitle(result)}`,
      text: ran,
      tone: result.verdict,
    });
  }
  return steps;
}

function stepsOfDelivery(delivery) {
  const target = delivery.endpoint_id === "run" ? "the run's own URL" : (delivery.url ?? "a deleted endpoint");
  const attempts = delivery.attempts.map((attempt) => {
    const why = whyFailed(attempt);
    return {
      at: attempt.at,
      title: `Attempt ${attempt.n}`,
      text: why ?? `answered ${attempt.status_code} in ${duration(attempt.latency_ms)}`,
      tone: why ? "bad" : "AC",
      isPart: true,
    };
  });
  const next = delivery.next_attempt_at ? `next attempt: ${localTime(delivery.next_attempt_at)}` : "";
  const link = html`<a href=${`#/deliveries/${delivery.id}`}>Delivery</a> to <${Foreign} text=${target} />: ${plain(delivery.state)}`;
  return [{ title: link, text: next, tone: tone(delivery.state) }, ...attempts];
}

export function Timeline({ run }) {
  const load = (signal, show) =>
    poll(
      () => deliveries(run.id, signal),
      (all) => run.result !== null && all.every(({ state }) => !OPEN.includes(state)),
      {
        signal,
        rounds: 40,
        firstPauseMs: 1000,
        onAnswer: show,
      },
    );
  return html`<${Loaded} load=${load} what="the timeline" show=${(all) => {
    const steps = [...stepsOfRun(run), ...all.flatMap(stepsOfDelivery)];
    return html`<ol class="timeline">${steps.map(
      ({ at, title, text, tone: kind, isPart }) => html`<li class=${`verdict-${kind}${isPart ? " part" : ""}`}>
        <b>${title}</b>${text && html`<p><${Foreign} text=${text} /></p>`}
        ${at && html`<${LocalTime} at=${at} kind="quiet" />`}</li>`,
    )}</ol>
      ${all.length === 0 && html`<p class="quiet">No webhook was due: the project has no endpoint for this run, and the run no URL of its own.</p>`}`;
  }} />`;
}
