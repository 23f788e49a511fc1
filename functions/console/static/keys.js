// Keys of the whole console, and the list of them.
import { Component, html } from "./dom.js";

const OFF = "rustbox.keys_off";
const TYPING = "input, textarea, select, dialog, [contenteditable]";

/** Keys that the views themselves read. */
const OF_VIEWS = [
  ["Ctrl K", "Go to a view, check, endpoint, problem or id"],
  ["Ctrl Enter", "Run the program"],
  ["Ctrl Space", "Complete the word in the editor"],
  ["Esc, then Tab", "Leave the editor"],
];

function find() {
  const field = document.querySelector(".find input");
  if (field) field.focus();
  else location.assign("#/runs?find=1");
}

/** The buttons, the list and the keys. `views`: names, titles, and the digits that open them. `signOut()` ends the session. */
export class Keys extends Component {
  state = { isOff: sessionStorage.getItem(OFF) !== null, Palette: null };

  componentDidMount() {
    document.addEventListener("keydown", this.press);
  }

  componentWillUnmount() {
    document.removeEventListener("keydown", this.press);
  }

  show = () => this.dialog.showModal();

  goTo = async () => this.setState({ Palette: (await import("./palette.js")).default });

  toggle = ({ target }) => {
    if (target.checked) sessionStorage.removeItem(OFF);
    else sessionStorage.setItem(OFF, "1");
    this.setState({ isOff: !target.checked });
  };

  actions() {
    return [
      ...this.props.views.map(([name, title, digit]) => [`${digit}`, title, () => location.assign(`#/${name}`)]),
      ["/", "Find by id", find],
      ["?", "Show these keys", this.show],
    ];
  }

  press = (event) => {
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
      event.preventDefault(); // some browsers search the web
      if (!document.querySelector("dialog[open]")) this.goTo();
      return;
    }
    if (this.state.isOff || event.defaultPrevented || event.repeat || event.isComposing) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(TYPING)) return;
    const action = this.actions().find(([key]) => key === event.key);
    if (!action) return;
    event.preventDefault(); // the key must not end in the field that the action focuses
    action[2]();
  };

  render({ views, signOut }, { isOff, Palette }) {
    return html`<button class="small" title="Ctrl K" onClick=${this.goTo}>Go to</button>
      ${
        Palette &&
        html`<${Palette} views=${views} done=${() => this.setState({ Palette: null })}
        actions=${[["Keys", this.show], ["Sign out", signOut]]} />`
      }
      <button class="small keys-button" aria-label="Keys" title="Keys" onClick=${this.show}>?</button>
      <dialog ref=${(element) => {
        this.dialog = element;
      }} aria-labelledby="keys-title"><h2 id="keys-title">Keys</h2>
        <dl class="keys">${[...this.actions(), ...OF_VIEWS].map(
          ([key, title]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${title}</dd></div>`,
        )}</dl>
        <label class="tick"><input type="checkbox" checked=${!isOff} onChange=${this.toggle} /> Single keys act in this tab, except while you type</label>
        <form method="dialog"><button>Close</button></form></dialog>`;
  }
}
