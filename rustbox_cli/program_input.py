"""Programs, inputs, limits and files as commands read them.

Small files go with the request, larger ones are stored by their SHA-256 first.
"""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import re
import stat
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import httpx

from rustbox_cli.archives import PACKAGE, PROGRAM, folder_of, is_zip
from rustbox_cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rustbox_cli.api import Api


PROJECT_SCHEMA = Path(__file__).with_name("project.schema.json")
"""The service's rules of project.yaml, of which this package has a copy. It also has the suffixes of languages."""


@cache
def project_schema() -> dict[str, Any]:
    """Return the JSON Schema of project.yaml and checks.yaml."""
    found: dict[str, Any] = json.loads(PROJECT_SCHEMA.read_text(encoding="utf-8"))
    return found


def language_of(file_name: str) -> str | None:
    """Return the language of a program; None if its suffix is unknown."""
    suffixes: dict[str, str] = project_schema()["$defs"]["Check"]["properties"]["language"]["x-suffixes"]
    return suffixes.get(PurePath(file_name).suffix.lower())


_MAX_BYTES = 1_048_576
LIMITS = (
    "cpu_time_secs",
    "wall_time_secs",
    "memory_mb",
    "max_processes",
    "output_kb",
    "file_size_mb",
    "open_files",
    "stack_mb",
)
INLINE_MAX_BYTES = 16_384
"""A larger file is stored first."""
_INLINE_TOTAL_BYTES = 262_144
_MOST_FILES = 64
_MOST_NAMES = 10
"""In an error."""
_PIECE_BYTES = 1_048_576
_UPLOAD_SECS = 600
_READ_ONLY = ":ro"
_MIB = 1_048_576
_STORED_MAX_BYTES = 100 * _MIB


def language_for(file_name: str) -> str:
    """Return the language of a file name. Raises UsageError."""
    language = language_of(file_name)
    if language is None:
        raise click.UsageError(f"The language of {file_name!r} is unknown. Give --language.")
    return language


def read_text(source: BinaryIO, what: str) -> str:
    """Read a text of at most 1 MiB. Raises CommandError."""
    content = source.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise CommandError(f"{what} is larger than {_MAX_BYTES:,} bytes.", ExitCode.REFUSED)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CommandError(f"{what} is not UTF-8 text.", ExitCode.REFUSED) from None


def limit_value(name: str, text: str) -> float:
    """Return the number of NAME=VALUE. Raises UsageError."""
    if name not in LIMITS:
        raise click.UsageError(f"Unknown limit {name!r}. Limits: {', '.join(LIMITS)}.")
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise click.UsageError(f"{name} must be a number; got {text!r}.") from None


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine, and its path in the run."""

    source: Path
    path: str
    is_read_only: bool = False


def parse_file(text: str) -> LocalFile:
    """Read [PATH=]FILE[:ro]. Raises UsageError."""
    is_read_only = text.endswith(_READ_ONLY)
    path, mark, name = text.removesuffix(_READ_ONLY).rpartition("=")
    source = Path(name)
    if not source.is_file():
        raise click.UsageError(f"There is no file {name!r}.")
    if not mark:
        parts = PurePosixPath(name)
        path = parts.name if parts.is_absolute() or ".." in parts.parts else parts.as_posix()
    return LocalFile(source, path, is_read_only)


def files_of_folder(folder: Path, main: Path) -> list[LocalFile]:
    """Return all files of a program's folder but the main one. Hidden files and links are left out."""
    found = []
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__pycache__")))
        for name in sorted(names):
            source = Path(where, name)
            if name.startswith(".") or source.is_symlink() or not source.is_file() or source.samefile(main):
                continue
            found.append(LocalFile(source, source.relative_to(folder).as_posix()))
            if len(found) > _MOST_FILES:
                message = f"{folder} has more than {_MOST_FILES} files beside the main one."
                raise CommandError(message, ExitCode.REFUSED, "Name the needed ones with --file.")
    return found


def languages() -> frozenset[str]:
    """Return the languages of the service."""
    return frozenset(project_schema()["$defs"]["Check"]["properties"]["language"]["x-suffixes"].values())


def entries(api: Api, files: list[LocalFile], most_bytes: int = _INLINE_TOTAL_BYTES) -> list[dict[str, Any]]:
    """Return the files as a request has them. Stores those that are too large for it. Raises CommandError.

    `most_bytes`: of contents in the request.
    """
    made, inline_bytes = [], 0
    for file in files:
        size = file.source.stat().st_size
        entry: dict[str, Any] = {"path": file.path} | ({"read_only": True} if file.is_read_only else {})
        if size <= INLINE_MAX_BYTES and inline_bytes + size <= most_bytes:
            content = file.source.read_bytes()
            inline_bytes += len(content)
            entry["content_base64"] = base64.b64encode(content).decode()
        else:
            entry["sha256"] = store(api, file.source)["id"]
        made.append(entry)
    return made


def store(api: Api, source: Path) -> dict[str, Any]:
    """Store a file, unless the service has it. Returns its id, and whether it was `sent`. Raises CommandError."""
    size, digest = _measure(source)
    if size > _STORED_MAX_BYTES:
        raise CommandError(f"{source} has {size:,} bytes; a file has at most 100 MiB.", ExitCode.REFUSED)
    media_type = mimetypes.guess_type(source.name)[0] or "application/octet-stream"
    body = {"sha256": digest, "size": size, "media_type": media_type}
    answer = api.call("POST", ("files",), body=body, repeatable=True).body
    if answer["exists"]:
        return {"id": answer["id"], "size": size, "sent": False}
    _send(answer["upload"], source, size)
    if not api.call("POST", ("files",), body=body, repeatable=True).body["exists"]:
        raise CommandError(
            f"{source} was sent, but is not stored.", ExitCode.FAULT, "Did it change meanwhile? Try again."
        )
    return {"id": answer["id"], "size": size, "sent": True}


def _measure(source: Path) -> tuple[int, str]:
    digest, size = sha256(), 0
    for piece in _pieces(source):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _pieces(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _send(link: dict[str, Any], source: Path, size: int) -> None:
    """Send the bytes as the service says; the link needs no key, and gets none."""
    headers = {**link["headers"], "content-length": str(size)}
    try:
        response = httpx.request(
            link["method"], link["url"], content=_pieces(source) if size else b"", headers=headers, timeout=_UPLOAD_SECS
        )
    except httpx.TransportError as error:
        raise CommandError(f"The upload of {source} broke ({type(error).__name__}).", ExitCode.UNREACHABLE) from None
    if not response.is_success:
        message = f"The upload of {source} was refused ({response.status_code})."
        raise CommandError(message, ExitCode.REFUSED, response.text[:500])


class Program(click.ParamType):
    """A program: an open file, or the path of a folder. A zip file is the folder that it contains."""

    name = "program"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Open a file; - is standard input."""
        if isinstance(value, str) and value != "-" and Path(value).is_dir():
            return Path(value)
        if isinstance(value, str) and is_zip(Path(value)):
            return (ctx or click.get_current_context()).with_resource(folder_of(Path(value), PROGRAM))
        return click.File("rb").convert(value, param, ctx)


class CasesFolder(click.ParamType):
    """A folder, or a zip file as a folder that is deleted when the command ends."""

    name = "folder"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Unpack a zip file."""
        path = Path(value)
        if not (path.is_dir() or is_zip(path)):
            self.fail(f"{str(value)!r} is no folder and no zip file (.zip, .kpp).", param, ctx)
        return (ctx or click.get_current_context()).with_resource(folder_of(path, PACKAGE))


program_options = (
    click.option("--main", help="With FOLDER: its main file; the others go with it."),
    click.option(
        "--file",
        "files",
        multiple=True,
        metavar="[PATH=]FILE[:ro]",
        help="A file for the program, at PATH in its working directory. :ro is read-only, for large files.",
    ),
    click.option("--compile-arg", "compile_args", multiple=True, help="An option of the compiler: -O2."),
    click.option("-l", "--language", help="Default: from the file name."),
)


def program_fields(api: Api, program: BinaryIO | Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a request that say what runs: a folder, or a file. `options`: of `program_options`.

    Raises UsageError, CommandError.
    """
    files = [parse_file(text) for text in options["files"]]
    if isinstance(program, Path):
        if program.is_dir():
            main = main_file(program, options["main"])
            files = files_of_folder(program, main) + files
        else:
            main = program
        with main.open("rb") as source:
            code = read_text(source, "The program")
        name = main.name
    elif options["main"] is not None:
        raise click.UsageError("--main is for a folder.")
    else:
        code, name = read_text(program, "The program"), str(getattr(program, "name", ""))
    fields = {
        "language": options["language"] or language_for(name),
        "code": code,
        "files": entries(api, files),
        "compile_args": list(options["compile_args"]),
    }
    return {field: value for field, value in fields.items() if value != []}


_MAIN_NAMES = {"main", "__main__", "solution"}
JAVA_MAIN = re.compile(r"\bstatic\s+void\s+main\b")
TOGETHER = {"c", "cpp"}
"""Languages whose sources are compiled together, so that any of them is the main file."""


def main_file(folder: Path, name: str | None = None) -> Path:
    """Return the file of a program's folder that runs. `name`: the one that was asked for. Raises UsageError.

    Without a name: the only source, the one named main or solution, or the only Java file with a main method.
    """
    if name is not None:
        main = folder / name
        if not main.is_file() or not main.resolve().is_relative_to(folder.resolve()):
            raise click.UsageError(f"There is no file {name!r} in {folder}.")
        return main
    sources = sorted(path for path in folder.iterdir() if not path.is_symlink() and _is_source(path))
    named = [path for path in sources if path.stem.lower() in _MAIN_NAMES]
    classes = [path for path in sources if path.suffix == ".java" and JAVA_MAIN.search(_head(path))]
    for choice in (sources, named, classes):
        if len(choice) == 1:
            return choice[0]
    if sources and len({language_of(path.name) for path in sources} | TOGETHER) == len(TOGETHER):
        return sources[0]
    names = ", ".join(path.name for path in sources[:_MOST_NAMES]) or "no file of a known language"
    raise click.UsageError(f"{folder} has {names}. Name the main file of the folder: --main main.py")


def _is_source(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and language_of(path.name) is not None


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_MAX_BYTES).decode(errors="replace")


def piped_input() -> Any:
    """Return this command's standard input if it is a pipe or a file; None for a terminal and anything else."""
    stream = click.get_binary_stream("stdin")
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except (OSError, ValueError):  # no such descriptor, or closed
        return None
    return stream if stat.S_ISFIFO(mode) or stat.S_ISREG(mode) else None
