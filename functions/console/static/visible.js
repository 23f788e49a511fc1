// Texts of strangers: outputs, metadata, answers of receivers. Shown as text, with what a reader cannot see made visible.

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;
const DIRECTIONS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/;
const HIDDEN = new RegExp(`(${CONTROLS.source}|${DIRECTIONS.source})`);

function name(character) {
  const code = character.codePointAt(0);
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Split a text into `{ text, isHidden }`. Control and direction characters become names, such as \x1b and U+202E. */
export function parts(text) {
  return String(text)
    .replaceAll("\r\n", "\n")
    .split(HIDDEN)
    .filter((part) => part !== "")
    .map((part) => (HIDDEN.test(part) ? { text: name(part), isHidden: true } : { text: part, isHidden: false }));
}
