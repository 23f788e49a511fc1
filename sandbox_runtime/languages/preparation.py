"""Build the files that a toolchain needs once, such as Go's compiled standard library, read them ahead, digest them.

They are in `<toolchains>/prepared`, and depend on the toolchain only, never on a guest's input. So they are built
outside the jail.
"""

import fcntl
import hashlib
import json
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from sandbox_runtime import RUNNER_VERSION
from sandbox_runtime.jail.controls.seccomp import SMALL_INIT, instructions
from sandbox_runtime.jail.inside.small_init import HEADER, INIT_FILE, INIT_SOURCE, START_FILE, START_SOURCE
from sandbox_runtime.languages.entry import Language, Prepared

MOLD = "/usr/bin/mold"
"""The linker, if it is installed. It takes a fifth of the default linker's time."""
SOURCES = Path(__file__).with_name("sources")
"""Programs in C and Java that start a toolchain for guests."""
_FOLDER = "prepared"
_COMMAND_TIMEOUT_SECS = 600
_TAIL_CHARS = 500


class PreparationError(Exception):
    """A toolchain's files could not be made. `step`: the command's name; `detail`: the end of its output."""

    def __init__(self, step: str, detail: str) -> None:
        super().__init__(f"{step}: {detail}")


def prepared_path(name: str, prepared: Prepared, toolchains_dir: str) -> Path:
    """Path of the prepared directory for this version of the toolchain; it may be missing. `name`: its first part."""
    digest = hashlib.sha256(prepared.recipe.encode())
    for path in prepared.made_from:
        try:
            facts = Path(path).stat()
        except OSError:
            continue  # a missing file counts as another version
        digest.update(f"{path} {facts.st_size} {int(facts.st_mtime)}\n".encode())
    return Path(toolchains_dir) / _FOLDER / f"{name}-{digest.hexdigest()[:16]}"


def is_prepared(language: Language, toolchains_dir: str) -> bool:
    """Whether all prepared files exist."""
    return language.prepared is None or prepared_path(language.name, language.prepared, toolchains_dir).is_dir()


def prepare(language: Language, toolchains_dir: str) -> None:
    """Build missing files, atomically and by one process at a time. Raises PreparationError."""
    if language.prepared is not None:
        make(language.name, language.prepared, toolchains_dir)


def make(name: str, prepared: Prepared, toolchains_dir: str) -> Path:
    """Fill one directory if it is missing. Returns its path. Raises PreparationError."""
    target = prepared_path(name, prepared, toolchains_dir)
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (target.parent / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if target.is_dir():
                return target
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=_building_prefix(name)) as building:
                made = Path(building) / "made"
                made.mkdir()
                prepared.make(made)
                _open_to_guests(made)
                made.rename(target)
    except OSError as error:
        raise PreparationError(f"write {error.filename}", error.strerror or "") from error
    return target


def files_so_far(name: str, toolchains_dir: str) -> int:
    """Count the files of a directory that is being built now."""
    folders = (Path(toolchains_dir) / _FOLDER).glob(f"{_building_prefix(name)}*")
    return sum(len(files) for folder in folders for _, _, files in os.walk(folder))


def _building_prefix(name: str) -> str:
    return f"{name}.building-"


def _open_to_guests(directory: Path) -> None:
    """Let all users read the files. Guests have other user ids, and the runner's umask may hide new files."""
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def command(
    argv: tuple[str, ...], *, working_directory: Path, environment: Mapping[str, str] = MappingProxyType({})
) -> subprocess.CompletedProcess[str]:
    """Run a toolchain's command with a clean environment, since the runner's holds credentials."""
    try:
        return subprocess.run(
            argv,
            cwd=working_directory,
            env={"PATH": "/usr/bin:/bin", "HOME": str(working_directory), "LANG": "C.UTF-8", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_COMMAND_TIMEOUT_SECS,
            check=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise PreparationError(Path(argv[0]).name, error.stderr.strip()[-_TAIL_CHARS:]) from error
    except subprocess.TimeoutExpired as error:
        raise PreparationError(Path(argv[0]).name, f"took longer than {_COMMAND_TIMEOUT_SECS} s") from error


Definitions = Mapping[str, str | tuple[str, ...] | int]
"""Macros: a string, a list of words, or a number."""


def build(compiler: str, source: Path, definitions: Definitions, to: Path, options: tuple[str, ...]) -> None:
    """Compile one C source with any compiler of gcc. Writes the whole result or nothing. Raises PreparationError."""
    macros = tuple(f"-D{name}={_value(value)}" for name, value in definitions.items())
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        command((compiler, "-x", "c", "-O2", *macros, *options, "-o", to.name, str(source)), working_directory=work)
        shutil.copy(work / to.name, to)


def _value(value: str | tuple[str, ...] | int) -> str:
    if isinstance(value, tuple):
        return "".join(f"{json.dumps(word)}," for word in value)
    return json.dumps(value)


# Build init, process 1 of a run (`jail/inside/small_init.c`), with the C compiler of the toolchains.

_INIT_COMPILER = "/usr/bin/gcc"
_INIT_NAME = "init"
_INIT_OPTIONS = (
    *("-Os", "-ffreestanding", "-nostdlib", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"),
    # No shadow stack and no vector registers, because nothing sets them up.
    *("-fcf-protection=none", "-mgeneral-regs-only"),
    *("-s", "-Wl,--build-id=none,-z,noexecstack,-z,norelro,-z,noseparate-code"),
)
_LOG = logging.getLogger(__name__)


def init_program(toolchains_dir: str) -> str:
    """Build init if it is missing. Returns the directory for `SlotConfig.small_init`; "" without a C compiler."""
    try:
        return str(make(_INIT_NAME, _prepared_init(), toolchains_dir))
    except PreparationError as error:
        _LOG.warning("init program not built; each run forks its init, which is slower", extra={"reason": str(error)})
        return ""


def build_init(directory: Path, start: Path = START_SOURCE) -> None:
    """Build both files in `directory`. Raises PreparationError."""
    options = (*_INIT_OPTIONS, f"-I{HEADER.parent}")
    build(
        _INIT_COMPILER,
        INIT_SOURCE,
        {},
        directory / INIT_FILE,
        (*options, "-static", "-no-pie", "-fno-pie", _filter_macro()),
    )
    build(_INIT_COMPILER, start, {}, directory / START_FILE, (*options, "-shared", "-fPIC"))


def _prepared_init() -> Prepared:
    recipe = " ".join((*_INIT_OPTIONS, _filter_macro())) + "".join(
        source.read_text() for source in (INIT_SOURCE, START_SOURCE, HEADER)
    )
    return Prepared(guest_path="", make=build_init, made_from=(_INIT_COMPILER,), recipe=recipe)


def _filter_macro() -> str:
    """The system-call filter as initialisers of `struct sock_filter`."""
    steps = instructions(platform.machine())[SMALL_INIT]
    return "-DFILTER=" + ",".join(f"{{{','.join(map(str, step))}}}" for step in steps)


# Read the toolchains' files into memory before guests do.
#
# The kernel charges a file page to the first group that reads it. Charged to a guest, a runtime's program text would
# count as the guest's memory, and a guest at its limit would keep evicting it and reading it again.


def warm(language: Language, toolchains_dir: str) -> None:
    """Ask the kernel to read the files now, posix_fadvise(2). Repeating it is cheap."""
    for path in _warm_files(language, toolchains_dir):
        try:
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        except OSError:
            continue  # if the file is needed, the trial program fails


def _warm_files(language: Language, toolchains_dir: str) -> Iterator[Path]:
    yield from language.toolchain_files(toolchains_dir)
    for folder, _ in language.shown_folders:  # machine code of the data packages
        yield from Path(folder).rglob("*.so*")
    if language.prepared is not None:
        yield from prepared_path(language.name, language.prepared, toolchains_dir).glob("*")


# Digest a toolchain's files and version, so that the compile cache never mixes programs of two versions.

# All our compiler drivers call these.
_SHARED = ("/usr/bin/as", "/usr/bin/ld", MOLD)


def toolchain_digest(language: Language, toolchains_dir: str, version: str) -> str:
    """Return a hexadecimal digest of the version output and of each file's path, size and time."""
    lines = [RUNNER_VERSION, language.name, version, *_digest_facts(language, toolchains_dir)]
    return hashlib.sha256("\0".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _digest_facts(language: Language, toolchains_dir: str) -> Iterator[str]:
    if language.prepared is not None:
        yield str(prepared_path(language.name, language.prepared, toolchains_dir))
    others = map(Path, (*language.needed_files, *_SHARED))
    for path in (*language.toolchain_files(toolchains_dir), *others):
        try:
            facts = path.stat()
            yield f"{path} {path.resolve()} {facts.st_size} {facts.st_mtime_ns}"
        except OSError:
            yield f"{path} missing"
