// The administrator's view: projects, runners, and what was changed. The administrator's key opens it, and nothing else.
import AdminProject from "./admin_project.js";
import { get, post } from "./api.js";
import { Component, html } from "./dom.js";
import { Pages, TimeFilter } from "./list.js";
import { Empty, Foreign, Help, Loaded, Problem, Table, Time } from "./parts.js";

const RUNNERS_SECS = 15;
const LISTS = { projects: "Projects", runners: "Runners", changes: "Changes" };
const TONES = { live: "AC", draining: "slow", unable: "bad", silent: "bad" };

class NewProject extends Component {
  state = { error: null, isBusy: false };

  submit = async (event) => {
    event.preventDefault();
    const name = new FormData(event.target).get("name");
    this.setState({ isBusy: true, error: null });
    try {
      const { id } = await post("api/projects", { name });
      location.assign(`#/admin/${id}`);
    } catch (error) {
      this.setState({ isBusy: false, error });
    }
  };

  render(_, { error, isBusy }) {
    return html`<form class="row filters" onSubmit=${this.submit}>
      <label>Name of a new project <input name="name" required maxlength="100" autocomplete="off" /></label>
      <button class="primary" disabled=${isBusy}>${isBusy ? "Creating…" : "Create"}</button>
      ${error && html`<${Problem} error=${error} />`}</form>`;
  }
}

const projectRow = ({ id, name, enabled, profiles, network, created_at: at }) => html`<tr key=${id}>
  <td><a class="card-title" href=${`#/admin/${id}`}><${Foreign} text=${name} /></a></td>
  <td><code>${id}</code></td>
  <td><span class=${`badge verdict-${enabled ? "AC" : "bad"}`}>${enabled ? "enabled" : "disabled"}</span></td>
  <td data-name="profiles">${profiles.join(", ")}</td>
  <td data-name="hosts">${network.access}</td>
  <td class="end"><${Time} at=${at} /></td></tr>`;

function Projects() {
  const empty = { title: "No projects yet", hint: html`<p>Create one above. It has its own keys, quotas and data.</p>` };
  return html`<${NewProject} />
    <${Pages} what="projects" path="api/projects" filters=${{}} row=${projectRow} empty=${empty}
      heads=${["Name", "Id", "State", "Profiles", "Hosts", "Created"]} />`;
}

const runnerRow = ({ node_id: name, state, version, slots, slots_busy: busy, languages, reported_at: at, problem }) => html`<tr key=${name}>
  <td><b><${Foreign} text=${name} /></b></td>
  <td><span class=${`badge verdict-${TONES[state]}`}>${state}</span>${problem && html` <${Foreign} text=${problem} />`}</td>
  <td data-name="busy slots">${busy} of ${slots}</td>
  <td data-name="version"><${Foreign} text=${version} /></td>
  <td data-name="languages">${languages.join(", ")}</td>
  <td class="end"><${Time} at=${at} /></td></tr>`;

function Runners() {
  return html`<p class="quiet">Runners of the last 24 hours. To drain one, use <code>rustbox admin drain</code>.</p>
    <${Loaded} what="runners" everySecs=${RUNNERS_SECS} load=${(signal) => get("api/admin/runners", {}, signal)} show=${({ items }) =>
      items.length === 0
        ? html`<${Empty} title="No runner has reported"><p>Programs wait until one does.</p><//>`
        : html`<${Table} heads=${["Name", "State", "Busy slots", "Version", "Languages", "Reported"]} items=${items} row=${runnerRow} />`} />`;
}

function changeRow({ id, timestamp, data }) {
  const fields = Object.keys(data.after ?? data.before ?? {}).sort();
  const isOfProject = data.project_id !== "*"; // runners' tokens belong to none
  return html`<tr key=${id}>
    <td><b>${data.action}</b></td>
    <td data-name="project">${isOfProject && html`<a href=${`#/admin/${data.project_id}`}><${Foreign} text=${data.project_id} /></a>`}</td>
    <td data-name="subject">${data.subject !== data.project_id && html`<${Foreign} text=${data.subject} />`}</td>
    <td>${fields.length > 0 && html`<${Help} title=${html`<${Foreign} text=${fields.join(", ")} />`}>
      ${data.before && html`<p>Before: <code><${Foreign} text=${JSON.stringify(data.before)} /></code></p>`}
      ${data.after && html`<p>After: <code><${Foreign} text=${JSON.stringify(data.after)} /></code></p>`}<//>`}</td>
    <td data-name="from">${data.address}</td>
    <td class="end"><${Time} at=${timestamp} /></td></tr>`;
}

function Changes({ query }) {
  const empty = { title: "No changes", hint: html`<p>Changes of projects, keys and tokens by the administrator show here.</p>` };
  return html`<div class="row filters"><${TimeFilter} name="since" title="Since" query=${query} /></div>
    <${Pages} what="changes" path="api/admin/changes" filters=${{ since: query.get("since") }} row=${changeRow} empty=${empty}
      heads=${["Action", "Project", "Subject", "Fields", "From", "At"]} />`;
}

export default function Admin({ id, query }) {
  if (id) return html`<${AdminProject} id=${id} />`;
  const list = query.get("list") ?? "projects";
  return html`<h1 tabindex="-1">Administration</h1>
    <nav class="row" aria-label="Lists">${Object.entries(LISTS).map(
      ([name, title]) => html`<a href=${`#/admin?list=${name}`} aria-current=${list === name ? "page" : undefined}>${title}</a>`,
    )}</nav>
    ${list === "runners" ? html`<${Runners} />` : list === "changes" ? html`<${Changes} query=${query} />` : html`<${Projects} />`}`;
}
