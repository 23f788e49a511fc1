// Find a thing by its id: a run, a judge run, a check, an endpoint or a delivery.
import { ApiError, get } from "./api.js";
import { Component, html } from "./dom.js";
import { Problem } from "./parts.js";

const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const ONE = new RegExp(`^${UUID}$`, "i");
const DELIVERY = new RegExp(`^${UUID}\\.(?:${UUID}|run)$`, "i");
/** Paths of the API, and the view of each. */
const KINDS = [
  ["result", "runs"],
  ["judge", "judge"],
  ["checks", "checks"],
  ["webhooks", "webhooks"],
];

/** Whether a text is a whole id of something that has a page. */
export const isId = (text) => ONE.test(text) || DELIVERY.test(text);

/** The address of the view of an id. Throws ApiError if the project has nothing with it. */
export async function placeOf(id) {
  const kinds = ONE.test(id) ? KINDS : DELIVERY.test(id) ? [["deliveries", "deliveries"]] : [];
  for (const [path, view] of kinds) {
    try {
      await get(`api/${path}/${id}`);
      return `#/${view}/${id}`;
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  throw new ApiError(404, "", "Nothing of this project has this id. Write a whole id, as its page shows it.");
}

export class Find extends Component {
  state = { error: null, isBusy: false };

  find = async (event) => {
    event.preventDefault();
    const id = new FormData(event.target).get("id").trim();
    this.setState({ error: null, isBusy: true });
    try {
      location.assign(await placeOf(id));
    } catch (error) {
      this.setState({ error, isBusy: false });
    }
  };

  render({ isFirst }, { error, isBusy }) {
    return html`<form class="row find" role="search" onSubmit=${this.find}>
        <label>Find by id <input name="id" type="search" autofocus=${isFirst} required autocomplete="off" spellcheck=${false} /></label>
        <button disabled=${isBusy}>Find</button></form>
      ${error && html`<${Problem} error=${error} />`}`;
  }
}
