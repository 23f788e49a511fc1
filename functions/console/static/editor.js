// A text area with syntax colours: the coloured copy lies behind it, in the same grid cell, and gives it its size.
import { html } from "./dom.js";
import { keywordsOf, tokens } from "./languages.js";

let leaves = false; // after Escape, the next Tab leaves the editor: no key may trap a user of the keyboard

const WORD = /[\p{L}_$][\p{L}\p{N}_$]*/gu;
const MOST_WORDS = 8;
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

let completion = null; // the word that the last key completed, as `{ target, value, at, start, words, index }`

/** The words that begin like `typed`: those of the program, nearest first, then keywords; last, `typed` itself. */
function wordsLike(typed, before, behind, language) {
  const ofProgram = [...before.matchAll(WORD)].reverse().concat([...behind.matchAll(WORD)]);
  const all = new Set([...ofProgram.map(([word]) => word), ...keywordsOf(language)]);
  const fits = (word) => word.length > typed.length && word.startsWith(typed);
  return [...[...all].filter(fits).slice(0, MOST_WORDS), typed];
}

/** Complete the word before the cursor. The same key again takes the next word that begins so. */
function complete(target, language) {
  const { value, selectionStart: at } = target;
  if (completion?.target !== target || completion.value !== value || completion.at !== at) {
    const typed = value.slice(0, at).match(/[\p{L}_$][\p{L}\p{N}_$]*$/u)?.[0];
    if (!typed) return;
    const start = at - typed.length;
    completion = { target, start, words: wordsLike(typed, value.slice(0, start), value.slice(at), language), index: -1 };
  }
  const { start, words } = completion;
  const index = (completion.index + 1) % words.length;
  target.setSelectionRange(start, at);
  insert(words[index]);
  completion = { ...completion, value: target.value, at: target.selectionStart, index };
  const others = words.slice(index + 1, -1);
  say(target, words.length === 1 ? "No word begins so." : `${words[index]}${others.length > 0 ? `, then ${others.join(", ")}` : ""}`);
}

/** Say something below the editor. */
const say = (target, text) => {
  target.closest(".editor").querySelector(".completions").textContent = text;
};

function press(event, language) {
  const { key, target } = event;
  if (event.ctrlKey && event.code === "Space") {
    event.preventDefault();
    complete(target, language);
    return;
  }
  if (completion && key !== "Control") {
    completion = null;
    say(target, "");
  }
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
    <textarea id=${id} aria-label=${label} title="Tab indents, Ctrl Space completes a word. Escape, then Tab leaves the editor." value=${code} onInput=${(event) => onChange(event.target.value)}
      onKeyDown=${(event) => press(event, language)} spellcheck=${false} autocomplete="off" autocapitalize="off" autocorrect="off" wrap="off"></textarea>
    <p class="completions" aria-live="polite"></p>
  </div>`;
}
