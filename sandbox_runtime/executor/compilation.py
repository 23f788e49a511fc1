"""The compile step: the program of the cache, or a new one. An interpreter that refuses a source is one that failed."""

import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from threading import Lock

from events.files import PlacedFile, files_of
from events.requested import ExecutionRequested, JudgeRequested
from events.vocabulary import Cause, Phase, Verdict
from sandbox_runtime.classify import Classification, classify
from sandbox_runtime.executor import report
from sandbox_runtime.executor.step_runs import StepRuns
from sandbox_runtime.jail.spec import GuestFile, InputFile, JailSpec, Outcome
from sandbox_runtime.languages import (
    DEFAULT_PROFILE,
    Compile,
    Language,
    compile_spec,
    refuse_unfit,
    run_spec,
    without_paths,
    without_script_paths,
)

# Keys of the compile cache: a digest of the project and of everything that the compiled bytes may depend on.

_FORMAT = "rustbox compile key 1"


@dataclass(frozen=True, slots=True)
class CompileKey:
    """`digest` covers the project too: equal sources of two projects have different keys."""

    project_id: str
    digest: bytes


def compile_key(project_id: str, language: str, toolchain: str, step: JailSpec) -> CompileKey:
    """Build the key of a compile step. All fields of `step` enter the digest, also fields added later."""
    digest = hashlib.sha256()
    for value in (_FORMAT, project_id, language, toolchain, step):
        for part in _encoded(value):
            digest.update(part)
    return CompileKey(project_id, digest.digest())


def _encoded(value: object) -> Iterator[bytes]:
    """Encode a value with its kind and length in front, so that different values have different encodings."""
    if isinstance(value, bytes):
        yield from (b"b", _count(value), value)
    elif isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
        yield from (b"s", _count(text), text)
    elif isinstance(value, int | float | None):
        text = repr(value).encode()
        yield from (b"n", _count(text), text)
    elif isinstance(value, tuple):
        yield from (b"t", _count(value))
        for item in value:
            yield from _encoded(item)
    elif is_dataclass(value):
        names = tuple(field.name for field in fields(value))
        yield from _encoded((type(value).__name__, names, tuple(getattr(value, name) for name in names)))
    else:
        # Fail instead of leaving an unknown value out of the key.
        raise TypeError(f"a {type(value).__name__} has no encoding")


def _count(value: bytes | tuple[object, ...]) -> bytes:
    return len(value).to_bytes(8)


# Cache of compiled programs in this process's memory, limited in bytes and in age.
#
# The cache writes no files, so nothing outside can change an entry, and a restart empties it. Guests cannot read it: a
# template starts by exec and inherits no memory, and a run gets only its own artifact.

ENTRY_BYTES = 4096
"""Overhead counted for each entry; it limits the number of entries too."""
_LARGEST_PART = 4  # one program may take a quarter of the cache
_PROJECT_PART = 2  # one project may take half of the cache, so that it cannot evict all entries of others


@dataclass(frozen=True, slots=True)
class CachedProgram:
    """`warnings`: the compiler's messages about the program."""

    artifact: bytes
    warnings: bytes


@dataclass(frozen=True, slots=True)
class _Entry:
    """`size_bytes`: with overhead."""

    program: CachedProgram
    size_bytes: int
    stored_at: float


class CompileCache:
    """Least-recently-used cache. Safe for threads.

    `max_bytes`: of all entries. `max_age_secs`: of an entry, counted from its compilation.
    `toolchains`: toolchain digests by language name; a language without one is not cached.
    """

    def __init__(
        self,
        toolchains: Mapping[str, str],
        *,
        max_bytes: int,
        max_age_secs: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._toolchains = toolchains
        self._max_bytes = max_bytes
        self._max_age_secs = max_age_secs
        self._clock = clock
        self._entries: OrderedDict[CompileKey, _Entry] = OrderedDict()  # least recently used first
        self._size_bytes = 0
        self._project_sizes: Counter[str] = Counter()
        self._lock = Lock()

    def key(self, project_id: str, language: str, step: JailSpec) -> CompileKey | None:
        """Build the key of a compile step. None: the step must not be cached."""
        toolchain = self._toolchains.get(language)
        return None if not toolchain else compile_key(project_id, language, toolchain, step)

    def find(self, key: CompileKey | None) -> CachedProgram | None:
        """Return the program of a key. None: not cached, or expired."""
        with self._lock:
            entry = None if key is None else self._entries.get(key)
            if key is None or entry is None:
                return None
            if self._is_expired(entry):
                self._remove(key)
                return None
            self._entries.move_to_end(key)
            return entry.program

    def keep(self, key: CompileKey | None, program: CachedProgram) -> None:
        """Store a program unless it is too large, and evict the least recently used entries above the limits."""
        size_bytes = len(program.artifact) + len(program.warnings) + ENTRY_BYTES
        if key is None or size_bytes > self._max_bytes // _LARGEST_PART:
            return
        entry = _Entry(program, size_bytes, self._clock())
        project = key.project_id
        with self._lock:
            self._remove(key)
            self._entries[key] = entry
            self._size_bytes += size_bytes
            self._project_sizes[project] += size_bytes
            while self._project_sizes[project] > self._max_bytes // _PROJECT_PART:
                self._remove(next(known for known in self._entries if known.project_id == project))
            while self._size_bytes > self._max_bytes:
                self._remove(next(iter(self._entries)))

    def drop_expired(self) -> None:
        """Remove expired entries. Call it from time to time; `find` removes only the entry that it looks up."""
        with self._lock:
            for key in [key for key, entry in self._entries.items() if self._is_expired(entry)]:
                self._remove(key)

    @property
    def size_bytes(self) -> int:
        with self._lock:
            return self._size_bytes

    def _remove(self, key: CompileKey) -> None:
        """Remove an entry. The caller holds the lock."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        self._size_bytes -= entry.size_bytes
        self._project_sizes[key.project_id] -= entry.size_bytes
        if self._project_sizes[key.project_id] <= 0:
            del self._project_sizes[key.project_id]

    def _is_expired(self, entry: _Entry) -> bool:
        return self._clock() - entry.stored_at >= self._max_age_secs


NO_CACHE = CompileCache({}, max_bytes=0, max_age_secs=0)
"""A cache that keeps nothing and makes no keys."""


WARNINGS_MAX_BYTES = 16_384
"""Limit of the warnings of a program that compiled."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """`artifact`: None when it failed. `outcome` and `found` are None for a program of the cache.

    `diagnostics`: the compiler's messages; of a program that compiled, the first WARNINGS_MAX_BYTES.
    `usec`: time of the compile step, or of the look-up.
    """

    artifact: bytes | None
    diagnostics: bytes
    outcome: Outcome | None
    found: Classification | None
    usec: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of a request, the folder of those that are not in the message, and its options of the compiler."""

    files: tuple[InputFile, ...] = ()
    folder: str = ""
    options: tuple[str, ...] = ()

    def folder_for(self, spec: JailSpec) -> JailSpec:
        """Give a step the folder."""
        return replace(spec, inputs_folder=self.folder) if self.folder else spec


NO_INPUTS = Inputs()


def compile_program(
    step_runs: StepRuns,
    language: Language,
    step: Compile,
    code: bytes,
    cache: CompileCache,
    project_id: str,
    *,
    files: tuple[GuestFile, ...] = (),
    inputs: Inputs = NO_INPUTS,
) -> Compiled:
    """Compile a source, with `files` beside it, or take the program from the cache.

    Raises JailError and ExecutionDrainedError.
    """
    spec = compile_spec(language, step, code, files, inputs.files, inputs.options)
    begun_ns = time.monotonic_ns()
    key = cache.key(project_id, language.name, spec)
    spec = inputs.folder_for(spec)
    cached = cache.find(key)
    if cached is not None:
        return Compiled(cached.artifact, cached.warnings, None, None, (time.monotonic_ns() - begun_ns) // 1000)
    outcome, found = step_runs.run(spec, Phase.COMPILE)
    diagnostics = _diagnostics(language, outcome, found)
    if found.verdict is not Verdict.AC or outcome.artifact is None:
        return Compiled(None, diagnostics, outcome, found, outcome.wall_usec)
    warnings = diagnostics[:WARNINGS_MAX_BYTES]
    if report.is_isolation_proven(outcome.evidence):
        cache.keep(key, CachedProgram(outcome.artifact, warnings))
    return Compiled(outcome.artifact, warnings, outcome, found, outcome.wall_usec)


def refused_source(
    step_runs: StepRuns, language: Language, code: bytes, ran: Outcome, found: Classification
) -> Compiled | None:
    """Return the failed compilation of a source that its interpreter refused to run. None: the program began.

    `ran`, `found`: the run. A program can print anything, so a check of the source in a jail of its own decides.
    It follows only runs that look like a refusal; so programs that work have no cost. Raises JailError and
    ExecutionDrainedError.
    """
    is_like_one = found.cause == Cause.RE_NONZERO_EXIT and ran.exit_code == 1 and not ran.stdout
    if language.source_check is None or not is_like_one or ran.stderr.startswith(b"Traceback"):
        return None
    limits = language.run_limits(DEFAULT_PROFILE)
    check = run_spec(language, language.source_check.encode(), None, limits=limits, stdin=code)
    checked, _ = step_runs.run(check, Phase.RUN)
    if checked.exit_code != 1:
        return None
    failed = classify(ran, Phase.COMPILE)
    return Compiled(None, _header(language) + without_script_paths(ran.stderr), ran, failed, ran.wall_usec)


def _diagnostics(language: Language, compiled: Outcome, found: Classification) -> bytes:
    """Return the compiler's messages, for the client."""
    text = without_paths(compiled.stderr + compiled.stdout)
    if found.cause != Cause.CE_COMPILE_FAILED:
        return text
    if compiled.exit_code == 0:
        text += b"the compiler left no program, or one that is too large\n"
    return _header(language) + text


def _header(language: Language) -> bytes:
    return f"{language.name} Compilation Error:\n".encode()


# The files and options of a request, as its steps get them.


def checked_inputs(
    request: ExecutionRequested | JudgeRequested, language: Language, folder: str, case: int | None = None
) -> Inputs:
    """Return the files and options of a request. `folder`: with its stored files. Raises RequestRefusedError.

    `case`: the place of a case, whose own files are there too.
    """
    files = tuple(map(_input_file, files_of(request.files or (), case)))
    options = request.compile_args or ()
    refuse_unfit(language, request.code, files, options)
    return Inputs(files, folder, options)


def _input_file(file: PlacedFile) -> InputFile:
    sha256 = "" if file.stored is None else file.stored.sha256
    return InputFile(file.path, file.size_bytes, file.read_only, file.content, sha256)
