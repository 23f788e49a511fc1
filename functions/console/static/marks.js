// The lines that an error message names, as Python, gcc, javac, Bun and others write them.

const READ_CHARS = 20_000;
const MOST_MARKS = 5;
const PLACE = /File "([^"\n]{1,200})", line (\d{1,6})|([\w./-]{1,100}\.\w{1,6}):(\d{1,6})(?::\d{1,6})?(?:: error: ([^\n]{1,200}))?/g;
const MAIN = /^(solution|Main)\.\w+$/;

/**
 * Lines of the sources that an error text names: `{ path, line, message }`, the one where it happened first. `path` is null for the
 * main program. `paths`: those of the other sources. The text may be anything that a program writes.
 */
export function marks(text, paths) {
  const lines = text.slice(0, READ_CHARS).trim().split("\n");
  const last = lines.findLast((line) => /^\w*(Error|Exception)\b/.test(line)) ?? "";
  const found = new Map();
  for (const [, python, pythonLine, other, otherLine, message] of lines.join("\n").matchAll(PLACE)) {
    const file = (python ?? other).replace(/^(\/box|\.)\//, "");
    const path = paths.includes(file) ? file : MAIN.test(file) ? null : undefined;
    if (path === undefined) continue;
    const line = Number(pythonLine ?? otherLine);
    const key = `${path} ${line}`;
    if (!found.has(key)) found.set(key, { path, line, message: message ?? "", isPython: python !== undefined });
  }
  const all = [...found.values()];
  if (all[0]?.isPython) all.reverse(); // the innermost call is the last
  if (all.length > 0) all[0].message ||= last;
  return all.slice(0, MOST_MARKS);
}
