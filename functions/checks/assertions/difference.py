"""The difference between two outputs, small enough for an event and for a chat."""

from difflib import unified_diff
from itertools import takewhile

MAX_LINES = 60
MAX_CHARS = 4_000
_COMPARED_LINES = 200
_LINE_CHARS = 200
_CONTEXT_LINES = 3


def difference(before: bytes, after: bytes) -> str:
    """Return a unified diff of two outputs; "" if they are equal.

    At most 60 lines, 4,000 characters and 200 characters a line. Only 200 lines from the first difference on are
    compared, so that two large outputs cost no more time than two small ones. The last line names omitted lines.
    """
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))
    start = max(0, same - _CONTEXT_LINES)
    window = slice(start, start + _COMPARED_LINES)
    differing = list(
        unified_diff([_cut(line) for line in old[window]], [_cut(line) for line in new[window]], lineterm="")
    )
    if not differing:  # a long line differs behind its cut, or only the ends of lines do
        differing = ["", "", f"@@ line {same + 1}: differs in white space, in bytes that are no text, or far right @@"]
    lines = [f"--- last good output, from line {start + 1}", f"+++ this output, from line {start + 1}", *differing[2:]]
    is_cut = max(len(old), len(new)) > window.stop or len(lines) > MAX_LINES
    return _bounded(lines[:MAX_LINES], is_cut=is_cut)


def _bounded(lines: list[str], *, is_cut: bool) -> str:
    text = "\n".join(lines)
    if len(text) > MAX_CHARS:
        text, is_cut = text[:MAX_CHARS].rpartition("\n")[0], True
    return f"{text}\n… the rest is left out" if is_cut else text


def _lines(output: bytes) -> list[str]:
    return output.decode(errors="replace").split("\n")


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_CHARS else f"{line[: _LINE_CHARS - 1]}…"
