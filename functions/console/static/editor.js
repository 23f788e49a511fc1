// A text area with syntax colours: the coloured copy lies behind it, in the same grid cell, and gives it its size.
import { html } from "./dom.js";
import { tokens } from "./languages.js";

let leaves = false; // after Escape, the next Tab leaves the editor: no key may trap a user of the keyboard

/** Indent on Tab, and keep the indentation of the line on Enter. The browser's own insertion keeps undo. */
function indent(event) {
  if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey && !leaves) {
    event.preventDefault();
    document.execCommand("insertText", false, "    ");
    return;
  }
  leaves = event.key === "Escape" || (leaves && event.key === "Shift");
  if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.shiftKey || event.isComposing) return;
  const { value, selectionStart } = event.target;
  const line = value.slice(value.lastIndexOf("\n", selectionStart - 1) + 1, selectionStart);
  const [space] = line.match(/^[ \t]*/);
  const deeper = /[:{([]\s*$/.test(line) ? "    " : "";
  if (space + deeper === "") return;
  event.preventDefault();
  document.execCommand("insertText", false, `\n${space}${deeper}`);
}

export function Editor({ id, label, code, language, onChange }) {
  const lines = code.split("\n").length;
  const numbers = Array.from({ length: lines }, (_, index) => index + 1).join("\n");
  return html`<div class="editor">
    <pre class="gutter" aria-hidden="true">${numbers}</pre>
    <pre class="colours" aria-hidden="true">${tokens(code, language).map(([kind, text]) =>
      kind ? html`<span class=${`tok-${kind}`}>${text}</span>` : text,
    )}${"\n"}</pre>
    <textarea id=${id} aria-label=${label} title="Tab indents. Escape, then Tab leaves the editor." value=${code} onInput=${(event) => onChange(event.target.value)}
      onKeyDown=${indent} spellcheck=${false} autocomplete="off" autocapitalize="off" autocorrect="off" wrap="off"></textarea>
  </div>`;
}
