// Ctrl+K: one field that leads to views, checks, endpoints, problems and actions, and to anything by its id.
import { get, ROOT } from "./api.js";
import { Component, html } from "./dom.js";
import { isId, placeOf } from "./find.js";
import { Foreign } from "./parts.js";
import { setTheme, THEMES } from "./theme.js";

const MOST_SHOWN = 20;
const MOST_READ = 100;

const goTo = (place) => () => location.assign(place);

const ACTIONS = [
  ["checks", "New check", goTo("#/checks/new")],
  ["webhooks", "Add an endpoint", goTo("#/webhooks?new=1")],
  ["webhooks", "Catalogue of events, and samples", goTo("#/events")],
  ["secrets", "Secrets", goTo("#/secrets")],
  [null, "Documentation", () => location.assign(new URL("docs", ROOT))],
  ...THEMES.map((name) => [null, `Colours: ${name}`, () => setTheme(name)]),
];

/** Lists of things: the path of the API, and how one is an entry. */
const LISTS = [
  ["checks", ({ id, name, slug, state }) => ({ kind: "Check", title: name, more: `${slug ?? ""} ${state}`, go: goTo(`#/checks/${id}`) })],
  ["webhooks", ({ id, url, description }) => ({ kind: "Endpoint", title: url, more: description ?? "", go: goTo(`#/webhooks/${id}`) })],
  ["problems", ({ id }) => ({ kind: "Problem", title: id, more: "", go: goTo("#/problems") })],
];

/** `views`: names and titles. `actions`: more of them, as title and function. `done()` is called when it closes. */
export default class Palette extends Component {
  state = { text: "", chosen: 0, found: [], failed: [], isBusy: true, error: "" };
  stop = new AbortController();

  componentDidMount() {
    this.dialog.showModal();
    this.read();
  }

  componentWillUnmount() {
    this.stop.abort();
  }

  /** Read the newest of each list. A key without the right for a list has no entries of it. */
  async read() {
    const one = async ([path, entry]) => {
      try {
        const { items } = await get(`api/${path}`, { limit: MOST_READ }, this.stop.signal);
        this.setState(({ found }) => ({ found: [...found, ...items.map(entry)] }));
      } catch (error) {
        if (error.name !== "AbortError" && error.status !== 403) this.setState(({ failed }) => ({ failed: [...failed, path] }));
      }
    };
    await Promise.all(LISTS.map(one));
    this.setState({ isBusy: false });
  }

  entries() {
    const text = this.state.text.trim();
    const { views, actions } = this.props;
    const names = views.map(([name]) => name);
    const own = ACTIONS.filter(([view]) => view === null || names.includes(view) || (view === "secrets" && names.includes("checks")));
    const all = [
      ...views.map(([name, title]) => ({ kind: "View", title, go: goTo(`#/${name}`) })),
      ...[...own, ...actions.map(([title, go]) => [null, title, go])].map(([, title, go]) => ({ kind: "Action", title, go })),
      ...this.state.found,
    ];
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = all.filter(({ kind, title, more = "" }) => {
      const whole = `${kind} ${title} ${more}`.toLowerCase();
      return words.every((word) => whole.includes(word));
    });
    const byId = isId(text) ? [{ kind: "Id", title: text, go: async () => location.assign(await placeOf(text)) }] : [];
    return [...byId, ...shown].slice(0, MOST_SHOWN);
  }

  open = async (entry) => {
    try {
      await entry?.go();
      if (entry) this.dialog.close();
    } catch (error) {
      this.setState({ error: error.message });
    }
  };

  press = (event) => {
    if (event.isComposing) return;
    const entries = this.entries();
    const { chosen } = this.state;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in steps && entries.length > 0) {
      event.preventDefault();
      const next = (chosen + steps[event.key] + entries.length) % entries.length;
      this.setState({ chosen: next }, () => document.getElementById(`palette-${next}`)?.scrollIntoView({ block: "nearest" }));
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.open(entries[chosen]);
    }
  };

  render({ done }, { text, chosen, isBusy, failed, error }) {
    const entries = this.entries();
    return html`<dialog class="palette" aria-label="Go to" onClose=${done} ref=${(element) => {
      this.dialog = element;
    }} onClick=${(event) => event.target === this.dialog && this.dialog.close()}>
      <input type="text" role="combobox" aria-label="Go to a view, check, endpoint, problem or id" placeholder="Go to a view, check, endpoint, problem or id"
        aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list" aria-activedescendant=${entries.length > 0 ? `palette-${chosen}` : undefined}
        autofocus autocomplete="off" spellcheck=${false} value=${text} onKeyDown=${this.press}
        onInput=${(event) => this.setState({ text: event.target.value, chosen: 0, error: "" })} />
      <ul id="palette-list" role="listbox" aria-label="Places and actions">${entries.map(
        (entry, index) => html`<li id=${`palette-${index}`} role="option" aria-selected=${index === chosen} onClick=${() => this.open(entry)}>
          <span class="quiet">${entry.kind}</span> <${Foreign} text=${entry.title} /></li>`,
      )}</ul>
      <p class="quiet" role="status">${
        error ||
        (failed.length > 0 && `Not read: ${failed.join(", ")}.`) ||
        (entries.length === 0 && (isBusy ? "Loading…" : "Nothing has these words.")) ||
        (entries.length === MOST_SHOWN && `The first ${MOST_SHOWN}; write more words.`)
      }</p></dialog>`;
  }
}
