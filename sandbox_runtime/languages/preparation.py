"""Build files that a toolchain needs once, such as Go's compiled standard library, in `<toolchains>/prepared`.

They depend on the toolchain only, never on a guest's input. So they are built outside the jail.
"""

import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from sandbox_runtime.languages.entry import Language, Prepared

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
