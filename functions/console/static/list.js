// A list of the API, page by page: filters in the address, rows, and "more".
import { get, key, newId } from "./api.js";
import { Component, html } from "./dom.js";
import { Empty, Loading, Problem, Table } from "./parts.js";
import { localDay, plain } from "./words.js";

const MOST_REFRESHES = 60;
const PAGE = 100;
/** So many rows come by themselves at the end of the page. Then a button gives more, and the foot can be reached. */
const MOST_BY_THEMSELVES = 1000;
/** Lists that the user left, by the id that their entry in the history of the tab has. */
const left = new Map();
const MOST_LEFT = 10;

/** Put filters into the address, so that a link and the back button keep them. */
function setQuery(query, name, value) {
  const next = new URLSearchParams(query);
  if (value) next.set(name, value);
  else next.delete(name);
  const [path] = location.hash.split("?");
  location.replace(`${path}${next.size > 0 ? `?${next}` : ""}`);
}

/** A filter: a select with "all" and these values, or with these pairs of a value and its title. */
export function Filter({ name, title, values, query }) {
  const pairs = values.map((each) => (Array.isArray(each) ? each : [each, plain(each)]));
  return html`<label>${title} <select value=${query.get(name) ?? ""} onChange=${(event) => setQuery(query, name, event.target.value)}>
    <option value="">all</option>${pairs.map(([value, words]) => html`<option value=${value}>${words}</option>`)}</select></label>`;
}

/** A filter by a text, which counts when the user leaves the field or presses Enter. */
export function TextFilter({ name, title, hint, query }) {
  return html`<label>${title} <input type="search" maxlength="100" autocomplete="off" spellcheck=${false} placeholder=${hint}
    value=${query.get(name) ?? ""} onChange=${(event) => setQuery(query, name, event.target.value.trim())} /></label>`;
}

/** A filter by a time. The address has it in UTC, the field in the reader's zone. */
export function TimeFilter({ name, title, query }) {
  const at = Date.parse(query.get(name) ?? "");
  const local = Number.isNaN(at) ? "" : new Date(at - new Date(at).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const set = ({ target }) => setQuery(query, name, target.value && new Date(target.value).toISOString());
  return html`<label>${title} <input type="datetime-local" value=${local} onChange=${set} /></label>`;
}

/** Days of the reader as headings of their rows, with totals. Of the last one more may come: then `totals` may have it. */
const byDay = (items, timeOf, row, columns, what, isCut, totals) =>
  Object.entries(Object.groupBy(items, (item) => localDay(timeOf(item)))).map(([day, some], index, { length }) => {
    const more = totals?.[day] > some.length ? ` of ${totals[day]}` : ", more below"; // totals come ten seconds late
    return [
      html`<tr class="day" key=${day}><th colspan=${columns} scope="rowgroup">${day} <span class="quiet">${some.length} ${some.length === 1 ? what.slice(0, -1) : what}${isCut && index === length - 1 && ` shown${more}`}</span></th></tr>`,
      some.map(row),
    ];
  });

/**
 * Rows of `path` with `filters`. `row(item, change)` draws one, and `change(item)` shows its new state. With `timeOf(item)` each day has a heading; `totals`: of days.
 * While `isMoving(item)` is true of one of the first page, that page is read again, less and less often, and only in a tab that is seen; a search is not.
 * At the end of the page more rows come; the back button finds the rows and the place that the user left. `searched`: how many items a search has read.
 */
export class Pages extends Component {
  state = { items: null, cursor: null, error: null, searched: null };
  refreshes = 0;
  top = 0;

  /** Where the reader is. When this list goes, the next view lies in the page already and has moved it. */
  notePlace = () => {
    this.top = window.scrollY;
  };

  componentDidMount() {
    window.addEventListener("scroll", this.notePlace, { passive: true });
    const before = left.get(history.state?.list);
    if (before?.what !== this.what()) {
      this.load();
      return;
    }
    this.list = history.state.list;
    this.setState(before.shown);
    this.refreshLater(before.shown.items, before.shown.searched);
    requestAnimationFrame(() => {
      document.querySelector(`main a[href="${CSS.escape(before.link)}"]`)?.focus({ preventScroll: true });
      window.scrollTo(0, before.top);
    });
  }

  componentDidUpdate(before) {
    if (JSON.stringify(before.filters) !== JSON.stringify(this.props.filters)) this.load();
  }

  componentWillUnmount() {
    this.stop?.abort();
    clearTimeout(this.timer);
    this.end?.disconnect();
    window.removeEventListener("scroll", this.notePlace);
    if (this.state.items === null) return;
    const link = document.activeElement?.getAttribute("href") ?? "";
    left.set(this.list, { what: this.what(), shown: { ...this.state, error: null }, link, top: this.top });
    if (left.size > MOST_LEFT) left.delete(left.keys().next().value);
  }

  /** What is listed, and for whom: another user of the tab gets a list of his own. */
  what = () => JSON.stringify([key.get(), this.props.path, this.props.filters]);

  /** Read more when the button comes into view, unless it goes on with a search. */
  watchEnd = (button) => {
    this.end?.disconnect();
    if (!button) return;
    this.end = new IntersectionObserver(([{ isIntersecting }]) => {
      const { items, searched } = this.state;
      if (isIntersecting && !this.isBusy && searched === null && items.length < MOST_BY_THEMSELVES) this.more();
    });
    this.end.observe(button);
  };

  more = () => this.isBusy || this.load(this.state.cursor);

  /** Read the first page, or the one at `cursor`. A refresh keeps the rows behind the first page. */
  load = async (cursor = null, isRefresh = false) => {
    this.stop?.abort();
    clearTimeout(this.timer);
    this.stop = new AbortController();
    const { signal } = this.stop;
    this.isBusy = true;
    if (history.state?.list === undefined) history.replaceState({ list: newId() }, "");
    this.list = history.state.list;
    try {
      const page = await get(this.props.path, { ...this.props.filters, limit: PAGE, cursor }, signal);
      const before = this.state.items ?? [];
      const at = isRefresh && page.next_cursor ? before.findIndex(({ id }) => id === page.items.at(-1)?.id) : -1;
      const rest = at < 0 ? [] : before.slice(at + 1);
      const items = cursor ? [...before, ...page.items] : [...page.items, ...rest];
      const searched = page.searched === undefined ? null : page.searched + ((cursor && this.state.searched) || 0);
      this.isBusy = false;
      this.setState({ items, cursor: rest.length > 0 ? this.state.cursor : page.next_cursor, error: null, searched });
      this.refreshLater(items, searched);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.isBusy = false;
      this.end?.disconnect(); // the button is left, or the same failure would come again and again
      this.setState({ error });
    }
  };

  change = (changed) => {
    const items = this.state.items.map((item) => (item.id === changed.id ? { ...item, ...changed } : item));
    this.setState({ items });
    this.refreshLater(items, this.state.searched);
  };

  refreshLater(items, searched) {
    clearTimeout(this.timer);
    const isMoving = this.props.isMoving && searched === null && items.slice(0, PAGE).some(this.props.isMoving);
    if (!isMoving || this.refreshes >= MOST_REFRESHES) return;
    this.timer = setTimeout(
      () => {
        if (document.hidden) return this.refreshLater(items, searched);
        this.refreshes += 1;
        return this.load(null, true);
      },
      1250 + 250 * this.refreshes,
    );
  }

  render({ what, row, heads, empty, timeOf, totals }, { items, cursor, error, searched }) {
    if (items === null)
      return error ? html`<${Problem} error=${error} again=${() => this.load()} />` : html`<${Loading} what=${what} />`;
    const draw = (item) => row(item, this.change);
    return html`
      ${error && html`<${Problem} error=${error} again=${() => this.load()} />`}
      ${items.length === 0 && cursor ? html`<p class="quiet">None found yet, and more to read.</p>` : items.length === 0 ? html`<${Empty} title=${empty.title}>${empty.hint}<//>` : html`<${Table} heads=${heads} items=${timeOf ? byDay(items, timeOf, draw, heads.length, what, cursor, totals) : items} row=${timeOf ? (day) => day : draw} />`}
      <div class="row after-list">
        <button class="small" onClick=${() => this.load()}>Refresh</button>
        ${cursor && html`<button class="small" ref=${this.watchEnd} onClick=${this.more}>${searched === null ? "Show more" : "Search further"}</button>`}
        <span class="quiet" role="status">${searched !== null && `${items.length} found in ${searched} ${what}${cursor ? ", newest first." : ", which are all."}`}</span>
      </div>`;
  }
}
