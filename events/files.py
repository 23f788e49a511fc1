"""Files of a request, as a runner gets them.

`path_problem` and `places_problem` say what is wrong with the paths of a client.
"""

import re
from collections.abc import Iterable
from itertools import accumulate
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from events import MessageInvalidError
from events.message import Sha256, Shape, exactly
from events.vocabulary import LANGUAGES, Language

MAX_FILES = 64
"""Of one run of a program."""
MAX_CASE_FILES = 512
"""Of the cases of a judge run, together."""
MAX_PATH_BYTES = 255
MAX_PATH_PARTS = 8
MAX_INLINE_BYTES = 262_144
"""Of the contents in one message, together."""
MAX_STORED_BYTES = 104_857_600
"""Of one file that is an object of the bucket."""
MAX_READ_ONLY_BYTES = 536_870_912
"""Of the read-only files of a run, together."""
MAX_WRITABLE_BYTES = 67_108_864
"""Of its other files, together."""
MAX_COMPILE_ARGS, MAX_COMPILE_ARG_CHARS = 32, 256
MAX_ARTIFACT_PATTERNS = 32
MAX_CASES = 1_000
"""Of a judge run."""
CHANGED = "changed"
"""In place of patterns: all files that the program made or changed."""
KEY_PREFIX = "files/"


def path_problem(path: str) -> str | None:
    """Return a sentence about what is wrong with the path of a file or artifact. None: nothing."""
    try:
        size_bytes = len(path.encode())
    except UnicodeEncodeError:
        return "A path is valid Unicode."
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        return "A path is relative to the working directory, such as data/in.csv, and has no empty part, . or .. in it."
    if any(character < " " or "\x7f" <= character <= "\x9f" for character in path):
        return "A path has no control characters."
    if size_bytes > MAX_PATH_BYTES or len(parts) > MAX_PATH_PARTS:
        return f"A path has at most {MAX_PATH_BYTES} bytes and {MAX_PATH_PARTS} parts."
    return None


def new_path_problem(path: str) -> str | None:
    """As `path_problem`, with the rules for new requests only, which no stored path must fit."""
    if re.search("[\u2028-\u202e\u2066-\u2069]", path):
        return "A path has no line breaks and no marks that reverse its text, such as U+202E."
    return path_problem(path)


def places_problem(paths: Iterable[str]) -> str | None:
    """Return a sentence about two paths that exclude each other. None: there are none."""
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            return f"Two files have the path {path}."
        seen.add(path)
    for path in seen:
        *folders, _ = accumulate(path.split("/"), "{}/{}".format)
        folder = next((folder for folder in folders if folder in seen), None)
        if folder is not None:
            return f"{folder} is a file and the folder of {path}."
    return None


def name_problem(language: Language, path: str) -> str | None:
    """Return a sentence about a path whose name the service uses itself. None: it does not."""
    name = path.partition("/")[0]
    if name not in LANGUAGES[language].own_names:
        return None
    return f"The service uses the name {name} itself, for code or the compiled program. Choose another one."


class StoredFile(Shape, frozen=True):
    """An object of the bucket with the bytes of a file. A runner checks its size and its SHA-256 (hexadecimal)."""

    key: Annotated[str, exactly(rf"{KEY_PREFIX}[0-9A-Za-z/_-]{{1,200}}")]
    size: Annotated[int, Meta(ge=0, le=MAX_STORED_BYTES)]
    sha256: Sha256


class PlacedFile(Shape, frozen=True, rename={"content": "content_base64", "stored": "object"}):
    """A file for the program. Its bytes are in the message (`content`), or an object of the bucket (`stored`).

    `case`: the place of the only case of a judge run that has it; None: all have it.
    """

    ONE_OF = ("content", "stored")

    path: str
    read_only: bool
    case: Annotated[int, Meta(ge=0, lt=MAX_CASES)] | None = None
    content: bytes | None = None
    stored: StoredFile | None = None

    def __post_init__(self) -> None:
        if path_problem(self.path) is not None:
            raise MessageInvalidError("path", "must be relative, without . and .., at most 255 bytes and 8 parts")
        self.check_one_of()

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.stored.size if self.stored is not None else len(self.content or b"")


def files_by_case(files: Iterable[PlacedFile]) -> dict[int | None, tuple[PlacedFile, ...]]:
    """Return the files of each case with files of its own, those of all cases included. None: only the latter."""
    by_case: dict[int | None, list[PlacedFile]] = {None: []}
    for file in files:
        by_case.setdefault(file.case, []).append(file)
    return {case: (*by_case[None], *(own if case is not None else ())) for case, own in by_case.items()}


def files_of(files: Iterable[PlacedFile], case: int | None) -> tuple[PlacedFile, ...]:
    """Return the files of one case: its own and those of all cases. None: only the latter."""
    return tuple(file for file in files if file.case in (None, case))


def check_files(files: tuple[PlacedFile, ...]) -> None:
    """Check the files of a message together. Raises MessageInvalidError."""
    if sum(len(file.content) for file in files if file.content is not None) > MAX_INLINE_BYTES:
        raise MessageInvalidError("files", "must have fewer bytes in the message")
    if stored_bytes(files) > MAX_READ_ONLY_BYTES + MAX_WRITABLE_BYTES:
        raise MessageInvalidError("files", "must be within the limits of size")
    for placed in files_by_case(files).values():
        sizes = {mode: sum(file.size_bytes for file in placed if file.read_only is mode) for mode in (True, False)}
        if len(placed) > MAX_FILES or sizes[True] > MAX_READ_ONLY_BYTES or sizes[False] > MAX_WRITABLE_BYTES:
            raise MessageInvalidError("files", "must be within the limits of one run")
        if places_problem(file.path for file in placed) is not None:
            raise MessageInvalidError("files", "must have no path twice or below another")


def stored_bytes(files: Iterable[PlacedFile]) -> int:
    """Return how many bytes a runner fetches for these files: it fetches each stored one once."""
    return sum({file.stored.sha256: file.stored.size for file in files if file.stored is not None}.values())


FileList = Annotated[tuple[PlacedFile, ...], Meta(min_length=1, max_length=MAX_FILES)]
CaseFileList = Annotated[tuple[PlacedFile, ...], Meta(min_length=1, max_length=MAX_FILES + MAX_CASE_FILES)]
CompileArgs = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=MAX_COMPILE_ARG_CHARS)], ...],
    Meta(min_length=1, max_length=MAX_COMPILE_ARGS),
]
Artifacts = Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_ARTIFACT_PATTERNS)] | Literal["changed"]
"""Which files of the program are kept: patterns of their paths, or CHANGED."""


def write_files(files: tuple[PlacedFile, ...]) -> bytes:
    """Return files as JSON, as a message has them."""
    return msgspec.json.encode(files)


def read_files(text: bytes | None) -> tuple[PlacedFile, ...]:
    """Return files of JSON; none of None or an empty text."""
    return msgspec.json.decode(text, type=tuple[PlacedFile, ...]) if text else ()
