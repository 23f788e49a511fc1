// The output of a run while it goes on.
import { get, sleep } from "./api.js";
import { Component, html } from "./dom.js";
import { Output } from "./parts.js";

const WAIT_SECS = 20;
const MOST_FAILURES = 5;
const SHOWN_CHARS = 20_000;
const STREAMS = [
  ["stdout", "Standard output"],
  ["stderr", "Standard error"],
];

const bytesOf = ({ output, encoding }) =>
  encoding ? Uint8Array.from(atob(output), (letter) => letter.charCodeAt(0)) : new TextEncoder().encode(output);

/** Show each part of a stream until the run has ended; null: it began again, and so does its output. A hidden tab asks nothing. Its result shows what failed here. */
async function follow(id, stream, signal, show) {
  let decoder = new TextDecoder();
  let after = 0;
  let execution;
  let failures = 0;
  for (;;) {
    while (document.hidden) await sleep(500, signal);
    try {
      const part = await get(`api/result/${id}/output`, { stream, after, wait: WAIT_SECS }, signal);
      failures = 0;
      if (execution && part.execution && part.execution !== execution) {
        [decoder, after, execution] = [new TextDecoder(), 0, part.execution];
        show(null);
        continue;
      }
      execution = part.execution ?? execution;
      after = part.next;
      if (part.output) show(decoder.decode(bytesOf(part), { stream: true }));
      if (part.final) return;
    } catch (error) {
      failures += 1;
      if (!error.mayPass || failures >= MOST_FAILURES) return;
      await sleep((error.retryAfterSecs ?? 1) * 1000, signal);
    }
  }
}

/** Both streams of a run that goes on; of long ones the end, and it stays in view unless its reader scrolls back. */
export class LiveOutput extends Component {
  state = { stdout: "", stderr: "" };
  root = { current: null };

  componentDidMount() {
    this.stop = new AbortController();
    for (const [stream] of STREAMS) {
      const show = (text) =>
        this.setState((had) => ({ [stream]: text === null ? "" : (had[stream] + text).slice(-SHOWN_CHARS) }));
      follow(this.props.id, stream, this.stop.signal, show).catch(() => {}); // aborted
    }
  }

  componentWillUnmount() {
    this.stop.abort();
  }

  getSnapshotBeforeUpdate() {
    const isAtTheEnd = (pre) => pre.scrollHeight - pre.scrollTop - pre.clientHeight < 8;
    return [...this.root.current.querySelectorAll("pre")].filter(isAtTheEnd);
  }

  componentDidUpdate(_props, _state, atTheEnd) {
    for (const pre of atTheEnd) pre.scrollTop = pre.scrollHeight;
  }

  render(_, state) {
    return html`<div class="live" ref=${this.root}>${STREAMS.map(
      ([stream, title]) =>
        state[stream] && html`<h3>${title}</h3><${Output} key=${stream} text=${state[stream]} label=${title} />`,
    )}</div>`;
  }
}
