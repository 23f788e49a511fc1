// The address of a heartbeat's pings, shown once, and how a job calls it.
import { ROOT } from "./api.js";
import { html } from "./dom.js";
import { Copy } from "./parts.js";

export function PingUrl({ url }) {
  const address = new URL(url.replace(/^\//, ""), ROOT).href;
  const command = `curl -fsS -m 10 --retry 3 -o /dev/null ${address}`;
  return html`<div class="notice" role="status"><b>Keep this address: it is shown this once.</b>
    <p>A job calls it at its end; <code>/fail</code> or an exit code after it says how it ended.</p>
    <p><code>${command}</code> <${Copy} text=${command} label="Copy the command" /></p>
    <p>In a crontab, <code>$?</code> is the exit code of the job:</p>
    <p><code>${`30 2 * * *  backup.sh; ${command}/$?`}</code></p></div>`;
}
