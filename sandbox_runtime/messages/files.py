"""Files that a request places in the working directory of its program."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from sandbox_runtime.messages.codec import Check, MessageInvalidError
from sandbox_runtime.messages.rules import Sha256, StoredFileKey, length, one_of

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


def is_file_path(path: str) -> bool:
    """A relative path of ordinary parts: none is empty, `.` or `..`, and none has a control character."""
    try:
        size_bytes = len(path.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    parts = path.split("/")
    return (
        size_bytes <= MAX_PATH_BYTES
        and len(parts) <= MAX_PATH_PARTS
        and not {"", ".", ".."}.intersection(parts)
        and not any(character < " " or "\x7f" <= character <= "\x9f" for character in path)
    )


def have_no_case(files: tuple["PlacedFile", ...]) -> bool:
    """Whether all files are those of a run that has no cases."""
    return all(file.case is None for file in files)


def are_sound_in_each_case(files: tuple["PlacedFile", ...]) -> bool:
    """Whether the files of each case, and those without a case, are such as one run may have."""
    by_case = [files_of(files, case) for case in {None, *(file.case for file in files)}]
    stored = {file.stored.sha256: file.stored.size for file in files if file.stored is not None}
    return (
        sum(len(file.content) for file in files if file.content is not None) <= MAX_INLINE_BYTES
        and sum(stored.values()) <= MAX_READ_ONLY_BYTES + MAX_WRITABLE_BYTES
        and all(len(own) <= MAX_FILES and have_places(own) and are_within_limits(own) for own in by_case)
    )


def files_of(files: Iterable["PlacedFile"], case: int | None) -> tuple["PlacedFile", ...]:
    """Return the files of one case: its own and those of all cases. None: only the latter."""
    return tuple(file for file in files if file.case in (None, case))


def have_places(files: tuple["PlacedFile", ...]) -> bool:
    """Whether no path is there twice, and none is a folder of another."""
    paths = {file.path for file in files}
    folders = {path[:end] for path in paths for end, character in enumerate(path) if character == "/"}
    return len(paths) == len(files) and not paths & folders


def are_within_limits(files: tuple["PlacedFile", ...]) -> bool:
    """Whether their sizes are within the limits of one run."""
    inline = sum(len(file.content) for file in files if file.content is not None)
    read_only = sum(file.size_bytes for file in files if file.read_only)
    writable = sum(file.size_bytes for file in files if not file.read_only)
    return inline <= MAX_INLINE_BYTES and read_only <= MAX_READ_ONLY_BYTES and writable <= MAX_WRITABLE_BYTES


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An object of the bucket with the bytes of a file. The runner checks size and SHA-256 (hexadecimal)."""

    key: StoredFileKey
    size: Annotated[int, Check(lambda size: 0 <= size <= MAX_STORED_BYTES, f"0 to {MAX_STORED_BYTES}")]
    sha256: Sha256


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file for the program. Its bytes are in the message (`content`), or an object of the bucket (`stored`).

    `case`: the place of the only case of a judge run that has it; None: all have it.
    """

    path: Annotated[str, Check(is_file_path, "a relative path without . and .., at most 255 bytes and 8 parts")]
    read_only: bool
    case: Annotated[int, Check(range(MAX_CASES).__contains__, "a place in the cases")] | None = None
    content: bytes | None = field(default=None, repr=False, metadata={"key": "content_base64"})
    stored: StoredFile | None = field(default=None, metadata={"key": "object"})

    def __post_init__(self) -> None:
        if (self.content is None) == (self.stored is None):
            raise MessageInvalidError("files", "must have either content_base64 or object")

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return self.stored.size if self.stored is not None else len(self.content or b"")


FileList = Annotated[
    tuple[PlacedFile, ...],
    length(1, MAX_FILES),
    Check(have_places, "without a path twice or below another"),
    Check(are_within_limits, "within the limits of size"),
    Check(have_no_case, "without a case"),
]
CaseFileList = Annotated[
    tuple[PlacedFile, ...],
    length(1, MAX_FILES + MAX_CASE_FILES),
    Check(are_sound_in_each_case, "within the limits of one run in each case, and with paths that can all be there"),
]
CompileArgs = Annotated[tuple[Annotated[str, length(1, MAX_COMPILE_ARG_CHARS)], ...], length(1, MAX_COMPILE_ARGS)]
"""Options of the compiler, whole words. Each language has a list of them."""
Artifacts = (
    Annotated[
        tuple[Annotated[str, Check(is_file_path, "a pattern for relative paths")], ...],
        length(1, MAX_ARTIFACT_PATTERNS),
    ]
    | Annotated[str, one_of(CHANGED)]
)
"""Which files of the program are kept: patterns of their paths, or `CHANGED`."""
