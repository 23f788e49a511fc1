// Syntax colours: one regular expression for each family of languages. Wrong colours harm nobody, so it stays small.

const LINE_COMMENT = String.raw`//[^\n]*|/\*[\s\S]*?(?:\*/|$)`;
const QUOTED = String.raw`"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?`;
const BACKTICKS = "`(?:\\\\[\\s\\S]|[^`\\\\])*`?";
const NUMBER = String.raw`\b(?:0[xXbBoO][\da-fA-F_]+|\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)[a-zA-Z0-9]*\b`;
const WORD = String.raw`[A-Za-z_$][\w$]*`;

const family = (comment, string) => new RegExp(`(${comment})|(${string})|(${NUMBER})|(${WORD})`, "g");
const words = (text) => new Set(text.split(" "));

const C = family(`${LINE_COMMENT}|^[ \\t]*#[^\\n]*`.replace("^", "(?<=^|\\n)"), QUOTED);
const JS = family(LINE_COMMENT, `${QUOTED}|${BACKTICKS}`);
const PYTHON_STRING = String.raw`[rbfuRBFU]{0,2}(?:"""[\s\S]*?(?:"""|$)|'''[\s\S]*?(?:'''|$)|${QUOTED})`;
// A quote alone begins a lifetime, such as 'a.
const RUST_STRING = String.raw`"(?:\\[\s\S]|[^"\\])*"?|'(?:\\[^']+|[^'\\])'`;

const BASH_STRING = String.raw`"(?:\\[\s\S]|[^"\\])*"?|'[^']*'?`;

const C_WORDS =
  "auto break case char const continue default do double else enum extern float for goto if inline int long register " +
  "return short signed sizeof static struct switch typedef union unsigned void volatile while";
const JS_WORDS =
  "async await break case catch class const continue default delete do else export extends false finally for from " +
  "function if import in instanceof let new null of return super switch this throw true try typeof undefined var void while yield";

const LANGUAGES = {
  python: [
    family("#[^\\n]*", PYTHON_STRING),
    words(
      "and as assert async await break class continue def del elif else except False " +
        "finally for from global if import in is lambda match None nonlocal not or pass raise return True try while with yield",
    ),
  ],
  c: [C, words(C_WORDS)],
  cpp: [
    C,
    words(
      `${C_WORDS} bool catch class constexpr delete explicit false friend namespace new noexcept nullptr operator ` +
        "override private protected public template this throw true try typename using virtual",
    ),
  ],
  java: [
    family(LINE_COMMENT, QUOTED),
    words(
      "abstract boolean break byte case catch char class continue default do double else enum " +
        "extends false final finally float for if implements import instanceof int interface long new null package private protected " +
        "public record return short static super switch synchronized this throw throws true try var void while yield",
    ),
  ],
  javascript: [JS, words(JS_WORDS)],
  typescript: [
    JS,
    words(
      `${JS_WORDS} any as boolean declare enum interface keyof never number private protected public readonly ` +
        "string type unknown",
    ),
  ],
  go: [
    family(LINE_COMMENT, `${QUOTED}|${BACKTICKS}`),
    words(
      "break case chan const continue default defer else fallthrough false for " +
        "func go goto if import interface map nil package range return select struct switch true type var",
    ),
  ],
  rust: [
    family(LINE_COMMENT, RUST_STRING),
    words(
      "as async await break const continue crate dyn else enum extern false fn for if impl " +
        "in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
    ),
  ],
  bash: [
    // A # inside a word, such as ${#array}, begins no comment.
    family("(?<![^\\s;])#[^\\n]*", BASH_STRING),
    words(
      "break case continue coproc declare do done elif else esac exit export fi for function if in local read readonly " +
        "return select set shift source then trap unset until while",
    ),
  ],
};

const MOST_CHARS = 30_000;

/** Split code into `[kind, text]`; kind is "" for everything without a colour. The texts together are the code. */
export function tokens(code, language) {
  const known = LANGUAGES[language];
  if (!known || code.length > MOST_CHARS) return [["", code]];
  const [pattern, keywords] = known;
  const found = [];
  let end = 0;
  for (const match of code.matchAll(pattern)) {
    const [text, comment, string, number] = match;
    const kind = comment ? "comment" : string ? "string" : number ? "number" : keywords.has(text) ? "keyword" : "";
    if (!kind) continue;
    if (match.index > end) found.push(["", code.slice(end, match.index)]);
    found.push([kind, text]);
    end = match.index + text.length;
  }
  if (end < code.length) found.push(["", code.slice(end)]);
  return found;
}
