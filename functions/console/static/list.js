// A list of the API, page by page: filters in the address, rows, and "more".
import { get } from "./api.js";
import { Component, html } from "./dom.js";
import { Empty, Loading, Problem, Table } from "./parts.js";
import { plain } from "./words.js";

const MOST_REFRESHES = 60;

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

/**
 * Rows of `path` with `filters`. `row(item, change)` draws one, and `change(item)` shows its new state. While `isMoving(item)` is true of one of the first page,
 * the first page is read again, less and less often, and only in a tab that is seen.
 */
export class Pages extends Component {
  state = { items: null, cursor: null, error: null };
  refreshes = 0;

  componentDidMount() {
    this.load();
  }

  componentDidUpdate(before) {
    if (JSON.stringify(before.filters) !== JSON.stringify(this.props.filters)) this.load();
  }

  componentWillUnmount() {
    this.stop?.abort();
    clearTimeout(this.timer);
  }

  load = async (cursor = null) => {
    this.stop?.abort();
    clearTimeout(this.timer);
    this.stop = new AbortController();
    const { signal } = this.stop;
    try {
      const page = await get(this.props.path, { ...this.props.filters, limit: 25, cursor }, signal);
      const items = cursor ? [...this.state.items, ...page.items] : page.items;
      this.setState({ items, cursor: page.next_cursor, error: null });
      if (!cursor) this.refreshLater(page.items);
    } catch (error) {
      if (error.name !== "AbortError") this.setState({ error });
    }
  };

  change = (changed) => {
    const items = this.state.items.map((item) => (item.id === changed.id ? { ...item, ...changed } : item));
    this.setState({ items });
    this.refreshLater(items);
  };

  refreshLater(items) {
    if (!this.props.isMoving || !items.some(this.props.isMoving) || this.refreshes >= MOST_REFRESHES) return;
    this.refreshes += 1;
    this.timer = setTimeout(
      () => (document.hidden ? this.refreshLater(items) : this.load()),
      1000 + 250 * this.refreshes,
    );
  }

  render({ what, row, heads, empty }, { items, cursor, error }) {
    if (items === null)
      return error ? html`<${Problem} error=${error} again=${() => this.load()} />` : html`<${Loading} what=${what} />`;
    return html`
      ${error && html`<${Problem} error=${error} again=${() => this.load()} />`}
      ${items.length === 0 ? html`<${Empty} title=${empty.title}>${empty.hint}<//>` : html`<${Table} heads=${heads} items=${items} row=${(item) => row(item, this.change)} />`}
      <div class="row after-list">
        <button class="small" onClick=${() => this.load()}>Refresh</button>
        ${cursor && html`<button class="small" onClick=${() => this.load(cursor)}>Show more</button>`}
      </div>`;
  }
}
