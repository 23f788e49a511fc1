// Two outputs side by side, line by line. Small outputs are aligned; large ones are shown as they are.

const MOST_LINES = 400;

/** Return `[kind, line]`; kind is "same", "gone" (only in `before`) or "new" (only in `after`). */
export function difference(before, after) {
  const left = before.split("\n").slice(0, MOST_LINES);
  const right = after.split("\n").slice(0, MOST_LINES);
  // The longest common subsequence, from the end.
  const longest = Array.from({ length: left.length + 1 }, () => new Uint16Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      longest[i][j] = left[i] === right[j] ? longest[i + 1][j + 1] + 1 : Math.max(longest[i + 1][j], longest[i][j + 1]);
    }
  }
  const found = [];
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      found.push(["same", left[i]]);
      i += 1;
      j += 1;
    } else if (j >= right.length || (i < left.length && longest[i + 1][j] >= longest[i][j + 1])) {
      found.push(["gone", left[i]]);
      i += 1;
    } else {
      found.push(["new", right[j]]);
      j += 1;
    }
  }
  return found;
}
