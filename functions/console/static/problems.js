// Problems that the project keeps: judge runs name them, and no part of a case is shown.
import { html } from "./dom.js";
import { Pages } from "./list.js";
import { Foreign, Time } from "./parts.js";
import { bytes } from "./words.js";

function Row({ id, version, cases, size_bytes: size, pushed_at: at }) {
  return html`<tr key=${id}>
    <td><${Foreign} text=${id} /></td>
    <td><code>${version}</code></td>
    <td data-name="cases">${cases}</td>
    <td data-name="size">${bytes(size)}</td>
    <td class="end"><${Time} at=${at} /></td>
  </tr>`;
}

export default function Problems() {
  return html`<p class="crumbs"><a href="#/runs">Runs</a></p>
    <h1 tabindex="-1">Problems</h1>
    <${Pages} path="api/problems" filters=${{}} what="problems" row=${Row}
      heads=${["Problem", "Last version", "Cases", "Size", "Pushed"]}
      empty=${{ title: "No problems yet", hint: html`<p>A problem keeps its cases here, and submissions name it: <code>rustbox problems push DIR</code>.</p>` }} />`;
}
