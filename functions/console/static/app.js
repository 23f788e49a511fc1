// The shell: sign-in, navigation, and the view that the address names.
import { ApiError, call, key, refusal, ROOT } from "./api.js";
import { Component, html, render } from "./dom.js";
import { Keys } from "./keys.js";
import { Foreign, Loading, LocalTime, Problem } from "./parts.js";
import { setTheme, theme, THEMES } from "./theme.js";

// Of `make up`: public, and on this machine only.
const LOCAL_KEY = "rb_live_local_development_only";
const LOCAL_ADMIN_KEY = "admin_local_development_only";
const IS_LOCAL = ["127.0.0.1", "localhost", "[::1]"].includes(location.hostname);

const VIEWS = {
  home: { title: "Home", load: () => import("./home.js"), rights: ["read"] },
  run: { title: "Run", load: () => import("./run.js"), rights: ["run"] },
  runs: { title: "Runs", load: () => import("./runs.js"), rights: ["read"] },
  webhooks: { title: "Webhooks", load: () => import("./webhooks.js"), rights: ["read", "webhooks"] },
  deliveries: { title: "Delivery", load: () => import("./deliveries.js"), under: "webhooks" },
  checks: { title: "Checks", load: () => import("./checks.js"), rights: ["read", "checks"] },
  secrets: { title: "Secrets", load: () => import("./secrets.js"), under: "checks" },
  events: { title: "Events", load: () => import("./events.js"), under: "webhooks" },
  judge: { title: "Judge run", load: () => import("./judge.js"), under: "runs" },
  problems: { title: "Problems", load: () => import("./problems.js"), under: "runs" },
  admin: { title: "Administration", load: () => import("./admin.js") },
};
const NAVIGATION = ["home", "run", "runs", "webhooks", "checks"];

/** Read `#/runs/<id>?state=…`. The administrator has one view, which nobody else has. An id becomes part of a path of the API, so it must be one word: a link may hold anything. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, id = ""] = path.split("/");
  const isAdmin = key.isAdmin();
  return {
    name: isAdmin ? "admin" : Object.hasOwn(VIEWS, name) && name !== "admin" ? name : "run",
    id: isAdmin && name !== "admin" ? null : /^\w[\w.-]*$/.test(id) ? id : null,
    query: new URLSearchParams(query),
  };
}

class SignIn extends Component {
  state = { error: this.props.error ?? null, isBusy: false, isAdmin: location.hash.startsWith("#/admin") };

  submit = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target).get("key").trim();
    const { isAdmin } = this.state;
    this.setState({ isBusy: true, error: null });
    try {
      await call("GET", isAdmin ? "api/projects" : "api/key", { apiKey: given, isAdmin });
      key.set(given, isAdmin);
      this.props.done();
    } catch (error) {
      this.setState({ isBusy: false, error });
    }
  };

  fill = () => {
    document.getElementById("key").value = this.state.isAdmin ? LOCAL_ADMIN_KEY : LOCAL_KEY;
  };

  render(_, { error, isBusy, isAdmin }) {
    return html`<main class="sign-in">
      <form onSubmit=${this.submit}>
        <p class="brand"><${Mark} />Rustbox</p>
        <h1>Run untrusted code, and see what happened.</h1>
        <label for="kind">Sign in as</label>
        <select id="kind" value=${isAdmin ? "admin" : ""} onChange=${(event) => this.setState({ isAdmin: event.target.value !== "" })}>
          <option value="">a user of a project</option><option value="admin">the administrator</option></select>
        <label for="key">${isAdmin ? "Administrator's key" : "API key"}</label>
        <input id="key" name="key" type="password" required autocomplete="off" spellcheck=${false}
          placeholder=${isAdmin ? "" : "rb_live_…"} aria-describedby="key-note" />
        <p id="key-note" class="quiet">The key stays in this tab, and goes nowhere but to ${ROOT.host}.</p>
        ${error && html`<${Problem} error=${error} />`}
        <div class="row">
          <button class="primary" disabled=${isBusy}>${isBusy ? "Checking…" : "Sign in"}</button>
          ${IS_LOCAL && html`<button type="button" class="link" onClick=${this.fill}>Fill in the key of make up</button>`}
        </div>
      </form>
      <p class="quiet">No key? Whoever runs this service makes one. <a href=${new URL("docs", ROOT)}>Documentation</a></p>
    </main>`;
  }
}

function Mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect x="2" y="2" width="28" height="28" rx="7" />
    <path d="M9 11l5 5-5 5M17 21h6" /></svg>`;
}

function OwnKey({ own }) {
  return html`<footer class="quiet">Key <code>${own.prefix}…</code>${own.name && html` <${Foreign} text=${own.name} />`}.
    Its rights: ${own.rights.join(", ")}. ${own.expires_at ? html`It expires on <${LocalTime} at=${own.expires_at} />.` : "It does not expire."}
    <label class="theme">Colours <select value=${theme()} onChange=${(event) => setTheme(event.target.value)}>${THEMES.map(
      (name) => html`<option value=${name}>${name}</option>`,
    )}</select></label></footer>`;
}

class Shell extends Component {
  state = { isSignedIn: key.get() !== null, refused: null, shown: null, error: null, own: null };

  componentDidMount() {
    refusal.tell = (error) => {
      key.forget();
      this.setState({ isSignedIn: false, refused: error, own: null });
    };
    window.addEventListener("hashchange", this.go);
    this.readKey();
    this.go();
  }

  /** Read what the key may do. A refused one leads to the sign-in when the user does something with it. */
  readKey = async () => {
    const apiKey = key.get();
    if (apiKey === null || key.isAdmin()) return;
    try {
      const { body } = await call("GET", "api/key", { apiKey });
      if (key.get() === apiKey) this.setState({ own: body });
    } catch {
      // The views tell why a call failed.
    }
  };

  componentDidUpdate(_, before) {
    if (before.isSignedIn === this.state.isSignedIn) return;
    this.go();
    this.readKey();
  }

  /** Name the view in the title of the page. A view of one thing then names that. */
  nameView() {
    document.title = `${this.state.isSignedIn ? VIEWS[place().name].title : "Sign in"} · Rustbox console`;
  }

  go = async () => {
    const at = (this.at = place());
    const before = this.state.shown?.at;
    this.nameView();
    try {
      const { default: View } = await VIEWS[at.name].load();
      if (this.at !== at) return; // the user has gone on while this view was loading
      const isMove = before && (before.name !== at.name || before.id !== at.id);
      this.setState({ shown: { at, View }, error: null }, () => isMove && this.focusHeading());
    } catch {
      if (this.at !== at) return;
      this.setState({ error: new ApiError(0, "", "This view could not be loaded. Reload the page.") });
    }
  };

  componentDidCatch() {
    this.setState({
      error: new ApiError(0, "", "This view failed. Reload the page, and report it if it fails again."),
    });
  }

  focusHeading() {
    window.scrollTo(0, 0);
    (document.querySelector("main [autofocus]") ?? document.querySelector("main h1"))?.focus();
  }

  signOut = () => {
    key.forget();
    this.setState({ isSignedIn: false, refused: null, own: null });
  };

  render(_, { isSignedIn, refused, shown, error, own }) {
    if (!isSignedIn) {
      return html`<${SignIn} error=${refused} done=${() => this.setState({ isSignedIn: true, refused: null })} />`;
    }
    const isAdmin = key.isAdmin();
    // A view of the other kind of key, from before the sign-in, must ask nothing with this one.
    const { at, View } = shown && (shown.at.name === "admin") === isAdmin ? shown : { at: place() };
    const group = VIEWS[at.name].under ?? at.name;
    const names = isAdmin ? ["admin"] : NAVIGATION.filter((name) => !own || VIEWS[name].rights.some((right) => own.rights.includes(right)));
    return html`
      <a class="skip" href="#main" onClick=${(event) => {
        event.preventDefault();
        this.focusHeading();
      }}>Skip to content</a>
      <header class="top">
        <a class="brand" href=${`#/${names[0] ?? "run"}`}><${Mark} />Rustbox</a>
        <nav aria-label="Views">${names.map(
          (name) =>
            html`<a href=${`#/${name}`} aria-current=${group === name ? "page" : undefined}>${VIEWS[name].title}</a>`,
        )}</nav>
        <a class="aside" href=${new URL("docs", ROOT)}>Docs</a>
        ${!isAdmin && html`<${Keys} views=${names.map((name) => [name, VIEWS[name].title, NAVIGATION.indexOf(name)])} signOut=${this.signOut} />`}
        <button class="small" onClick=${this.signOut}>Sign out</button>
      </header>
      <main id="main">
        ${error && html`<${Problem} error=${error} again=${() => location.reload()} />`}
        ${
          error
            ? null
            : View
              ? html`<${View} key=${`${at.name}/${at.id ?? ""}`} id=${at.id} query=${at.query} />`
              : html`<${Loading} what="the view" />`
        }
      </main>
      ${own && html`<${OwnKey} own=${own} />`}`;
  }
}

render(html`<${Shell} />`, document.getElementById("app"));
