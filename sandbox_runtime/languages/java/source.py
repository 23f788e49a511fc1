"""Find the file name and the main class of a Java source. javac requires that the file is named after its public type.

A guest chooses the source and the worker reads it. So the time must be linear in its size.
"""

import re
from dataclasses import dataclass

from sandbox_runtime.languages.entry import SourceNames

_DEFAULT = "Main"
_MAX_NAME_BYTES = 200  # a file name has at most 255; nested classes have longer names than the source
_TYPE_KEYWORDS = frozenset({"class", "interface", "enum", "record"})
_TOKEN = re.compile(
    r"""
    //[^\n]*+ | /\*.*?(?:\*/|\Z)                    # comments
    | \"{3}(?:\\(?:.|\Z)|[^\\])*?(?:\"{3}|\Z)      # text block: an unclosed one ends with the source
    | "(?:\\.|[^"\\\n])*+"? | '(?:\\.|[^'\\\n])*+'?  # string, character
    | (?P<word>[\w$]+) | (?P<mark>[{}().;@])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(slots=True)
class _Type:
    name: str
    is_public: bool
    has_main: bool = False


def java_names(code: bytes) -> SourceNames:
    """Return the file name of the public type, else Main.java, and the first class with a main method.

    The public type comes first, then Main, then others. A source that javac refuses gets some name, never an error.
    """
    scan = _Scan()
    for match in _TOKEN.finditer(code.decode("utf-8", "replace")):
        part = match["word"] or match["mark"]
        if part is not None:
            scan.take(part)
    public = next((found for found in scan.types if found.is_public), None)
    if public is not None and len(public.name.encode()) > _MAX_NAME_BYTES:
        public = None  # javac reports the error
    file_stem = _DEFAULT if public is None else public.name
    preferred = sorted(scan.types, key=lambda found: (not found.has_main, not found.is_public, found.name != _DEFAULT))
    entry = preferred[0].name if preferred and preferred[0].has_main else file_stem
    return SourceNames(f"{file_stem}.java", f"{scan.package}.{entry}" if scan.package else entry)


class _Scan:
    """Follows the nesting of a source, and records the types at its top level."""

    def __init__(self) -> None:
        self.types: list[_Type] = []
        self.package = ""
        self._recent: list[str] = []  # words and marks since the last end of a statement or body
        self._seen: set[str] = set()  # the same as a set, because a statement may be as long as the source
        self._keywords = 0  # how many of them were type keywords
        self._braces = 0
        self._parentheses = 0

    def take(self, part: str) -> None:
        """Take the next word or mark."""
        if part == "(":
            self._open_parenthesis()
        elif part == ")":
            self._parentheses = max(0, self._parentheses - 1)
        elif self._parentheses > 0:
            return
        elif part in {"{", "}"}:
            self._braces = max(0, self._braces + (1 if part == "{" else -1))
            self._forget()
        elif part == ";":
            if self._braces == 0 and self._recent[:1] == ["package"]:
                self.package = "".join(self._recent[1:])
            self._forget()
        else:
            if self._braces == 0 and self._declares_type():
                self.types.append(_Type(part, "public" in self._seen))
            self._recent.append(part)
            self._seen.add(part)
            self._keywords += part in _TYPE_KEYWORDS

    def _forget(self) -> None:
        self._recent.clear()
        self._seen.clear()
        self._keywords = 0

    def _open_parenthesis(self) -> None:
        is_member = self._parentheses == 0 and self._braces == 1
        if is_member and self.types and self._recent[-2:] == ["void", "main"]:
            self.types[-1].has_main |= "static" in self._seen
        self._parentheses += 1

    def _declares_type(self) -> bool:
        """Whether the next word names a type: it follows the first type keyword of the statement."""
        return self._keywords == 1 and self._recent[-1] in _TYPE_KEYWORDS
