// One project as the administrator sees it: its settings, and its keys.
import { call, get, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Action, Confirmed, Copied, Empty, Facts, Foreign, Loaded, LocalTime, Problem, Table, Time, Title } from "./parts.js";

const PROFILES = ["judge", "agent"];
const LIMITS = [["per_minute", "Runs a minute"], ["per_day", "Runs a day (UTC)"], ["in_flight", "Runs at a time"]];
const ACCESS = [["none", "none"], ["listed", "those below"], ["public", "all public names"]];
const RIGHTS = ["run", "read", "webhooks", "checks", "files", "secrets"];

const words = (text) => text.split(/[\s,]+/).filter(Boolean);

/** The fields that differ from the project. Others are not sent: quotas that nobody set go on following the defaults. */
function changes(form, project) {
  const given = new FormData(form);
  const text = (name) => given.get(name) ?? "";
  const differing = (wanted, before) => Object.fromEntries(Object.entries(wanted).filter(([name, value]) => `${value}` !== `${before[name]}`));
  const quotas = {};
  for (const profile of PROFILES) {
    const wanted = Object.fromEntries(LIMITS.map(([name]) => [name, Number(text(`${profile}.${name}`))]));
    const changed = differing(wanted, project.quotas[profile]);
    if (Object.keys(changed).length > 0) quotas[profile] = changed;
  }
  const isListed = text("access") === "listed";
  const network = { access: text("access"), mb_per_day: Number(text("mb_per_day")), ...(isListed && { allow: words(text("allow")) }) };
  const wanted = { name: text("name"), profiles: given.getAll("profiles"), files_mb: Number(text("files_mb")) };
  return { ...differing(wanted, project), quotas, network: differing(network, project.network) };
}

class Settings extends Component {
  state = { access: this.props.project.network.access, error: null, said: "" };

  submit = async (event) => {
    event.preventDefault();
    const { project, done } = this.props;
    this.setState({ error: null, said: "Saving…" });
    try {
      await call("PATCH", `api/projects/${project.id}`, { body: changes(event.target, project) });
      this.setState({ said: "Saved. It counts everywhere within three seconds." });
      done();
    } catch (error) {
      this.setState({ error, said: "" });
    }
  };

  render({ project }, { access, error, said }) {
    const count = (name, title, value) => html`<label>${title} <input type="number" name=${name} required min="0" defaultValue=${value} /></label>`;
    return html`<form class="sheet check-form" aria-label="Settings" onSubmit=${this.submit}>
      <label>Name <input name="name" required maxlength="100" autocomplete="off" defaultValue=${project.name} /></label>
      <fieldset><legend>Profiles</legend><div class="ticks">${PROFILES.map((each) => html`<label class="tick">
        <input type="checkbox" name="profiles" value=${each} defaultChecked=${project.profiles.includes(each)} /> ${each}</label>`)}</div></fieldset>
      ${PROFILES.map((profile) => html`<fieldset><legend>Quota of ${profile}</legend>
        <div class="row">${LIMITS.map(([name, title]) => count(`${profile}.${name}`, title, project.quotas[profile][name]))}</div></fieldset>`)}
      <fieldset><legend>Network and files</legend>
        <label>Hosts that programs may reach <select name="access" value=${access} onChange=${(event) => this.setState({ access: event.target.value })}>
          ${ACCESS.map(([value, title]) => html`<option value=${value}>${title}</option>`)}</select></label>
        ${access === "listed" && html`<label>Allowed hosts, one a line: name or name:port, *. for labels before
          <textarea name="allow" rows="4" required spellcheck=${false} defaultValue=${project.network.allow.join("\n")}></textarea></label>`}
        <div class="row">${count("mb_per_day", "Network MiB a day", project.network.mb_per_day)}${count("files_mb", "Stored files, MiB", project.files_mb)}</div></fieldset>
      ${error && html`<${Problem} error=${error} />`}
      <div class="row"><button class="primary">Save</button><span role="status">${said}</span></div></form>`;
  }
}

/** The key is in this form's state only: leaving the view forgets it. */
class IssueKey extends Component {
  state = { made: null, error: null, isBusy: false };

  submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const given = new FormData(form);
    const ends = given.get("expires_at");
    const body = {
      rights: given.getAll("rights"),
      ...(given.get("name") && { name: given.get("name") }),
      ...(ends && { expires_at: new Date(ends).toISOString() }),
    };
    this.setState({ isBusy: true, error: null, made: null });
    try {
      this.setState({ isBusy: false, made: await post(`api/projects/${this.props.id}/keys`, body) });
      form.reset();
      this.props.done();
    } catch (error) {
      this.setState({ isBusy: false, error });
    }
  };

  render(_, { made, error, isBusy }) {
    return html`<form class="sheet check-form" aria-label="Issue a key" onSubmit=${this.submit}>
      <label>Name of the key <input name="name" maxlength="100" autocomplete="off" placeholder="Page of the course" /></label>
      <fieldset><legend>Rights</legend><div class="ticks">${RIGHTS.map((each) => html`<label class="tick">
        <input type="checkbox" name="rights" value=${each} /> ${each}</label>`)}</div></fieldset>
      <label>Expires; empty: never <input type="datetime-local" name="expires_at" /></label>
      ${error && html`<${Problem} error=${error} />`}
      <div class="row"><button class="primary" disabled=${isBusy}>${isBusy ? "Issuing…" : "Issue"}</button></div></form>
      ${made && html`<div class="notice" role="status"><b>Keep this key: it is shown this once.</b> <p><${Copied} text=${made.key} of="the key" /></p>
        <button type="button" class="small" onClick=${() => this.setState({ made: null })}>I have it</button></div>`}`;
  }
}

/** All keys: a project has at most 200. */
async function readKeys(id, signal) {
  const keys = [];
  let cursor = null;
  do {
    const page = await get(`api/projects/${id}/keys`, { limit: 100, cursor }, signal);
    keys.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return keys;
}

class Keys extends Component {
  state = { round: 0 };

  done = () => this.setState({ round: this.state.round + 1 });

  row = ({ key_id: keyId, name, prefix, rights, last_used_at: usedAt, expires_at: endsAt, revoked_at: revokedAt }) => {
    const revoke = async () => {
      await call("DELETE", `api/projects/${this.props.id}/keys/${keyId}`);
      this.done();
    };
    return html`<tr key=${keyId}>
      <td><code>${prefix}…</code>${name && html` <${Foreign} text=${name} />`}</td>
      <td data-name="rights">${rights.join(", ")}</td>
      <td data-name="used"><${Time} at=${usedAt} /></td>
      <td data-name="expires">${endsAt ? html`<${LocalTime} at=${endsAt} />` : "never"}</td>
      <td class="end">${revokedAt ? html`revoked <${Time} at=${revokedAt} />` : html`<${Confirmed} label="Revoke" does=${revoke}>
        <p>Whoever uses <code>${prefix}…</code> is refused within three seconds, for good.</p><//>`}</td></tr>`;
  };

  render({ id }, { round }) {
    return html`<h2 class="after">Keys</h2>
      <${Loaded} key=${round} what="keys" load=${(signal) => readKeys(id, signal)} show=${(keys) =>
        keys.length === 0
          ? html`<${Empty} title="No keys yet"><p>Issue one below.</p><//>`
          : html`<${Table} heads=${["Key", "Rights", "Used", "Expires", ""]} items=${keys} row=${this.row} />`} />
      <h2 class="after">Issue a key</h2><${IssueKey} id=${id} done=${this.done} />`;
  }
}

export default function AdminProject({ id }) {
  const enable = (enabled, reload) => async () => {
    await call("PATCH", `api/projects/${id}`, { body: { enabled } });
    await reload();
  };
  return html`<p class="crumbs"><a href="#/admin">Projects</a></p>
    <${Loaded} what="the project" load=${(signal) => get(`api/projects/${id}`, {}, signal)} show=${(project, reload) => html`
      <${Title} text=${project.name} /><h1 tabindex="-1"><${Foreign} text=${project.name} /></h1>
      <${Facts} facts=${[
        ["Id", html`<${Copied} text=${id} of="the id" />`],
        ["State", html`<span class=${`badge verdict-${project.enabled ? "AC" : "bad"}`}>${project.enabled ? "enabled" : "disabled"}</span>`],
        ["Created", html`<${LocalTime} at=${project.created_at} />`],
        ["Disabled", project.disabled_at && html`<${LocalTime} at=${project.disabled_at} />`],
      ]} />
      ${
        project.enabled
          ? html`<${Confirmed} label="Disable" does=${enable(false, reload)}><p>All its keys are refused within three seconds. Its data stays.</p><//>`
          : html`<${Action} does=${enable(true, reload)}>Enable<//>`
      }
      <h2 class="after">Settings</h2><${Settings} project=${project} done=${reload} />
      <${Keys} id=${id} />`} />`;
}
