// What the console knows of each language: endings of its files, the first program, and syntax colours: one regular
// expression for each family of languages. Wrong colours harm nobody, so it stays small.

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

// `ends`: endings of files with its sources, that of a program first. `colours`: see `tokens`.
const LANGUAGES = {
  python: {
    ends: ["py"],
    sample: 'for number in range(1, 6):\n    print(number, "squared is", number ** 2)\n',
    colours: [
      family("#[^\\n]*", PYTHON_STRING),
      words(
        "and as assert async await break class continue def del elif else except False " +
          "finally for from global if import in is lambda match None nonlocal not or pass raise return True try while with yield",
      ),
    ],
  },
  c: {
    ends: ["c", "h"],
    sample: '#include <stdio.h>\n\nint main(void) {\n    puts("Hello, world!");\n    return 0;\n}\n',
    colours: [C, words(C_WORDS)],
  },
  cpp: {
    ends: ["cpp", "cc", "cxx", "hpp", "hh"],
    sample: '#include <iostream>\n\nint main() {\n    std::cout << "Hello, world!\\n";\n}\n',
    colours: [
      C,
      words(
        `${C_WORDS} bool catch class constexpr delete explicit false friend namespace new noexcept nullptr operator ` +
          "override private protected public template this throw true try typename using virtual",
      ),
    ],
  },
  java: {
    ends: ["java"],
    sample: 'public class Main {\n    public static void main(String[] args) {\n        System.out.println("Hello, world!");\n    }\n}\n',
    colours: [
      family(LINE_COMMENT, QUOTED),
      words(
        "abstract boolean break byte case catch char class continue default do double else enum " +
          "extends false final finally float for if implements import instanceof int interface long new null package private protected " +
          "public record return short static super switch synchronized this throw throws true try var void while yield",
      ),
    ],
  },
  javascript: {
    ends: ["js", "mjs", "cjs"],
    sample: 'console.log("Hello, world!");\n',
    colours: [JS, words(JS_WORDS)],
  },
  typescript: {
    ends: ["ts", "mts"],
    sample: 'const name: string = "world";\nconsole.log(`Hello, ${name}!`);\n',
    colours: [
      JS,
      words(
        `${JS_WORDS} any as boolean declare enum interface keyof never number private protected public readonly ` +
          "string type unknown",
      ),
    ],
  },
  go: {
    ends: ["go"],
    sample: 'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("Hello, world!")\n}\n',
    colours: [
      family(LINE_COMMENT, `${QUOTED}|${BACKTICKS}`),
      words(
        "break case chan const continue default defer else fallthrough false for " +
          "func go goto if import interface map nil package range return select struct switch true type var",
      ),
    ],
  },
  rust: {
    ends: ["rs"],
    sample: 'fn main() {\n    println!("Hello, world!");\n}\n',
    colours: [
      family(LINE_COMMENT, RUST_STRING),
      words(
        "as async await break const continue crate dyn else enum extern false fn for if impl " +
          "in let loop match mod move mut pub ref return self Self static struct super trait true type unsafe use where while",
      ),
    ],
  },
  lua: {
    ends: ["lua"],
    sample: 'for number = 1, 5 do\n  print(number, "squared is", number * number)\nend\n',
    colours: [
      family(String.raw`--\[\[[\s\S]*?(?:\]\]|$)|--[^\n]*`, String.raw`\[\[[\s\S]*?(?:\]\]|$)|` + QUOTED),
      words(
        "and break do else elseif end false for function goto if in local nil not or repeat return self then true until while",
      ),
    ],
  },
  bash: {
    ends: ["sh"],
    sample: 'for number in {1..5}; do\n  echo "$number squared is $((number * number))"\ndone\n',
    colours: [
      // A # inside a word, such as ${#array}, begins no comment.
      family("(?<![^\\s;])#[^\\n]*", BASH_STRING),
      words(
        "break case continue coproc declare do done elif else esac exit export fi for function if in local read readonly " +
          "return select set shift source then trap unset until while",
      ),
    ],
  },
};

/** The first program of each language. */
export const SAMPLES = Object.fromEntries(Object.entries(LANGUAGES).map(([name, { sample }]) => [name, sample]));

const ENDS = Object.values(LANGUAGES).flatMap(({ ends }) => ends);

/** Whether a file is a source by its name. */
export const isSource = (name) => name.includes(".") && ENDS.includes(name.split(".").pop().toLowerCase());

/** The ending of files with programs in a language. */
export const endOf = (language) => LANGUAGES[language]?.ends[0] ?? "txt";

/** The words that a language reserves. */
export const keywordsOf = (language) => LANGUAGES[language]?.colours[1] ?? [];

const MOST_CHARS = 30_000;

/** Split code into `[kind, text]`; kind is "" for everything without a colour. The texts together are the code. */
export function tokens(code, language) {
  const known = LANGUAGES[language];
  if (!known || code.length > MOST_CHARS) return [["", code]];
  const [pattern, keywords] = known.colours;
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
