// The program of a run, if it is kept: shown, run again, opened in the editor, shared.
import { get, newId, post } from "./api.js";
import { Component, html } from "./dom.js";
import { draftOf, saveDraft } from "./draft.js";
import { Action, Foreign, Loaded, Output } from "./parts.js";
import { Share } from "./share.js";
import { plain } from "./words.js";

/** The kept request of a run; `{ request: null }` if it is not kept. */
async function kept(id, signal) {
  try {
    return await get(`api/result/${id}/program`, {}, signal);
  } catch (error) {
    if (error.status === 404) return { request: null };
    throw error;
  }
}

/** Fields of a request that the form does not show, in words. */
export function OtherFields({ more }) {
  const names = Object.keys(more);
  return names.length > 0 && html`<p class="quiet">Sent with the program: <${Foreign} text=${names.map(plain).join(", ")} />.</p>`;
}

class Kept extends Component {
  again = async () => {
    const { request } = this.props;
    const { id } = await post("api/submit", { ...request, keep_code: true }, { headers: { "idempotency-key": newId() } });
    location.assign(`#/runs/${id}`);
  };

  edit = async () => {
    saveDraft(draftOf(this.props.request));
    location.assign("#/run");
  };

  render({ request }) {
    return html`<div class="row"><${Action} kind="small primary" does=${this.again}>Run again<//>
        <${Action} kind="small" does=${this.edit}>Open in editor<//><${Share} request=${request} /></div>
      <${Output} text=${request.code} label="Program of the run" />
      ${request.stdin && html`<h3>Standard input</h3><${Output} text=${request.stdin} label="Standard input" />`}
      <${OtherFields} more=${draftOf(request).more} />`;
  }
}

export function Program({ id }) {
  return html`<h2 class="after">Program</h2><${Loaded} what="the program" load=${(signal) => kept(id, signal)} show=${({ request }) =>
    request
      ? html`<${Kept} request=${request} />`
      : html`<p class="quiet">It is not kept. Runs of this console keep it for 24 hours, others with <code>keep_code</code>.</p>`} />`;
}
