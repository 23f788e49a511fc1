// A text area with syntax colours: the coloured copy lies behind it, in the same grid cell, and gives it its size.
import { html } from "./dom.js";
import { tokens } from "./languages.js";

let leaves = false; // after Escape, the next Tab leaves the editor: no key may trap a user of the keyboard

const PAIRS = { "(": ")", "[": "]", "{": "}" };
const CLOSING = Object.values(PAIRS);
const insert = (text) => document.execCommand("insertText", false, text); // the browser's own insertion keeps undo

/** Whether the line lacks no closing bracket: then the one at the cursor is that which a key wants to write. */
const isClosed = (line, closing) => {
  const opening = Object.keys(PAIRS).find((each) => PAIRS[each] === closing);
  return line.split(opening).length <= line.split(closing).length;
};

/** Close brackets, step over closed ones, and remove an empty pair. Returns whether the key is done. */
function pair({ key, target }, line) {
  const { value, selectionStart: start, selectionEnd: end } = target;
  const next = value[end] ?? "";
  if (key in PAIRS && (start !== end || next === "" || /[\s\])}]/.test(next))) {
    insert(key + value.slice(start, end) + PAIRS[key]);
    target.setSelectionRange(start + 1, end + 1);
    return true;
  }
  if (start !== end) return false;
  if (CLOSING.includes(key) && next === key && isClosed(line, key)) {
    target.setSelectionRange(end + 1, end + 1);
    return true;
  }
  if (key === "Backspace" && PAIRS[value[start - 1]] === next && next) {
    target.setSelectionRange(start - 1, end + 1);
    return document.execCommand("delete");
  }
  return false;
}

/** Indent the lines of the selection, or insert an indentation. */
function indent({ target }) {
  const { value, selectionStart: start, selectionEnd: end } = target;
  if (!value.slice(start, end).includes("\n")) return insert("    ");
  const first = value.lastIndexOf("\n", start - 1) + 1;
  const text = value.slice(first, end).replace(/^(?=[^\n])/gm, "    ");
  target.setSelectionRange(first, end);
  insert(text);
  target.setSelectionRange(first, first + text.length);
}

/** Begin a line as deep as the one before, or deeper after `:` and an opening bracket. */
function breakLine({ target }, line, rest) {
  const [space] = line.match(/^[ \t]*/);
  const deeper = /[:{([]\s*$/.test(line) ? "    " : "";
  if (space + deeper === "") return false;
  const isPair = deeper && PAIRS[line.trimEnd().at(-1)] === rest[0] && rest[0];
  insert(`\n${space}${deeper}${isPair ? `\n${space}` : ""}`);
  if (isPair) {
    const at = target.selectionStart - space.length - 1;
    target.setSelectionRange(at, at);
  }
  return true;
}

function press(event) {
  const { key, target } = event;
  const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.isComposing;
  const mayIndent = !leaves;
  leaves = key === "Escape" || (leaves && key === "Shift");
  if (!isPlain) return;
  const { value, selectionStart: start } = target;
  const line = value.slice(value.lastIndexOf("\n", start - 1) + 1, start);
  const rest = value.slice(start).split("\n", 1)[0];
  if (key === "Tab" && !event.shiftKey && mayIndent) {
    event.preventDefault();
    indent(event);
  } else if (key === "Enter" && !event.shiftKey ? breakLine(event, line, rest) : pair(event, line + rest)) event.preventDefault();
}

/** Put the cursor at the beginning of a line. */
export function goToLine(id, line) {
  const area = document.getElementById(id);
  const lines = area.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
}

/** `marked`: numbers of lines that an error names. */
export function Editor({ id, label, code, language, onChange, marked = [] }) {
  const lines = Array.from({ length: code.split("\n").length }, (_, index) => index + 1);
  return html`<div class="editor">
    <pre class="gutter" aria-hidden="true">${
      marked.length === 0 ? lines.join("\n") : lines.map((line) => html`<span class=${marked.includes(line) ? "marked" : ""}>${line}</span>${"\n"}`)
    }</pre>
    <pre class="colours" aria-hidden="true">${tokens(code, language).map(([kind, text]) =>
      kind ? html`<span class=${`tok-${kind}`}>${text}</span>` : text,
    )}${"\n"}</pre>
    <textarea id=${id} aria-label=${label} title="Tab indents. Escape, then Tab leaves the editor." value=${code} onInput=${(event) => onChange(event.target.value)}
      onKeyDown=${press} spellcheck=${false} autocomplete="off" autocapitalize="off" autocorrect="off" wrap="off"></textarea>
  </div>`;
}
