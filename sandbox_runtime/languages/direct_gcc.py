"""C and C++ without gcc's driver: its compiler, its assembler and mold called as `gcc -###` says that gcc would.

The driver and collect2 are processes that only start others, and gcc assembles when it has compiled: here the two are
joined by a pipe. The host asks the installed gcc once for its commands and writes a shell script of them for guests.
The script gets the whole ordinary command too, and ends in it whenever anything is not as it should be.
"""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.languages.linker import MOLD
from sandbox_runtime.languages.preparation import PreparationError, spoken

SCRIPT_NAME = "compile"
ASSEMBLER = "/usr/bin/as"
NO_HEADERS = "none"

# $1: a file to include before the source, or `none`; the rest: the ordinary command. `/tmp` is the guest's own and new.
# The diagnostics of a compiler that ended with 1 are all that its driver would have passed on. With a precompiled
# header they may name other places, so it counts only as long as the compiler is silent. More of them than the output
# limit lets through (`ulimit`, in units of 512 bytes) are left to the ordinary command.
_SCRIPT = """\
headers=$1
shift
compile() {{
    {{ ulimit -S -f 4096; {compiler} "$@" -o - 2>/tmp/said || {{ echo $? >/tmp/status; echo .error; }}; }} |
        {assembler} -o /tmp/solution.o >/dev/null 2>&1
}}
compiled=
if [ "$headers" != none ]; then
    compile -include "$headers" && [ ! -s /tmp/said ] && compiled=yes
fi
if [ -z "$compiled" ]; then
    : >/tmp/status
    compile && compiled=yes
fi
if [ -n "$compiled" ]; then
    if {linker} >/dev/null 2>&1; then
        [ ! -s /tmp/said ] || cat /tmp/said >&2
        exit 0
    fi
elif read -r status </tmp/status && [ "$status" = 1 ]; then
    cat /tmp/said >&2
    exit 1
fi
exec "$@"
"""
_ORDINARY_SCRIPT = 'shift\nexec "$@"\n'
RECIPE = _SCRIPT + _ORDINARY_SCRIPT


@dataclass(frozen=True, slots=True)
class _Commands:
    compiler: tuple[str, ...]
    assembler: tuple[str, ...]
    linker: tuple[str, ...]


def script(command: tuple[str, ...], source_name: str, directory: Path) -> str:
    """What /bin/sh must do for an ordinary compile command, which ends in one source and its libraries.

    Asks gcc in `directory`, where it makes a source of that name. Without mold, or when gcc's answer is not
    understood, the script is the ordinary command alone.
    """
    if not os.access(MOLD, os.X_OK):
        return _ORDINARY_SCRIPT
    source = directory / source_name
    source.touch()
    try:
        found = _commands(spoken((command[0], "-###", *command[1:]), working_directory=directory))
    except (PreparationError, LookupError, ValueError):
        return _ORDINARY_SCRIPT
    finally:
        source.unlink()
    return _SCRIPT.format(
        compiler=shlex.join(found.compiler), assembler=shlex.join(found.assembler), linker=shlex.join(found.linker)
    )


def _commands(answer: str) -> _Commands:
    """Read what `gcc -###` wrote. Raises LookupError and ValueError when it is not three steps of one file."""
    steps = _steps(answer)
    compiler = steps["cc1plus" if "cc1plus" in steps else "cc1"]
    *assembler, assembled = steps["as"]
    object_name = assembler[assembler.index("-o") + 1]
    if assembled != compiler[compiler.index("-o") + 1]:
        raise ValueError(answer)
    linker = steps["collect2"]
    # The name of gcc's own file of the moment is not ours.
    linker[linker.index(object_name)] = "/tmp/solution.o"  # noqa: S108 - in the jail, where it is the guest's own
    return _Commands(
        compiler=tuple(_without_output(compiler)),
        assembler=(_absolute(assembler[0]), *_without_output(assembler[1:])),
        linker=mold_for(linker),
    )


def _steps(answer: str) -> Mapping[str, list[str]]:
    """The commands in an answer of `gcc -###`, by the names of their programs."""
    commands = (shlex.split(line) for line in answer.splitlines() if line.startswith(" "))
    return {Path(words[0]).name: words for words in commands if words}


def linking(command: tuple[str, ...], directory: Path) -> tuple[str, ...]:
    """How mold must be called for a command of gcc that only links, run in `directory`.

    Raises PreparationError, LookupError and ValueError when gcc's answer is not understood.
    """
    answer = spoken((command[0], "-###", *command[1:]), working_directory=directory)
    return mold_for(_steps(answer)["collect2"])


def mold_for(collect2: Sequence[str]) -> tuple[str, ...]:
    """Mold in the place of collect2. Its threads and its second process do not pay for a small program."""
    return (MOLD, "--no-fork", "--threads=1", *_without_plugin(collect2[1:]))


def _absolute(tool: str) -> str:
    found = shutil.which(tool, path="/usr/bin:/bin")
    if found is None:
        raise LookupError(tool)
    return found


def _without_output(words: Sequence[str]) -> list[str]:
    place = words.index("-o")
    return [*words[:place], *words[place + 2 :]]


def _without_plugin(words: Sequence[str]) -> Iterator[str]:
    """The plugin of link-time optimisation, and how to find a linker."""
    rest = iter(words)
    for word in rest:
        if word == "-plugin":
            next(rest)
        elif not word.startswith(("-plugin-opt=", "-fuse-ld=")):
            yield word
