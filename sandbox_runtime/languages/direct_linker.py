"""A linker for rustc: takes what rustc gives to gcc, and calls mold as gcc would, with no gcc and collect2 between.

It is a shell script named `gcc`, for rustc chooses its options by the name and tells it in its diagnostics. A word that
it does not know, or an error of mold, leads to the real gcc with all that rustc gave. Where a mold was started ahead
for these very words (ahead_of_rustc.py), it is told that the objects are there.
"""

import os
import shlex
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox_runtime.languages.direct_gcc import linking
from sandbox_runtime.languages.linker import MOLD
from sandbox_runtime.languages.preparation import PreparationError, command

NAME = "gcc"

# Of an executable. The words are turned around once: each is taken from the front, and what mold needs of it goes to
# the end. `@` begins the name of a file with words, for which gcc and mold have different ones.
_SCRIPT = """\
#!/bin/sh
set -f
{ahead}link() {{
    kinds=
    left=$#
    while [ "$left" -gt 0 ]; do
        word=$1
        shift
        left=$((left - 1))
        case $word in
            -Wl,*)
                IFS=,
                set -- "$@" ${{word#-Wl,}}
                unset IFS
                ;;
            -pie | -nodefaultlibs) kinds="$kinds$word" ;;
            -m64 | -fuse-ld=mold) ;;
            -o)
                [ "$1" = solution ] || return 1
                shift
                left=$((left - 1))
                ;;
            -L)
                set -- "$@" "$word" "$1"
                shift
                left=$((left - 1))
                ;;
            -[lL]* | [!@-]*) set -- "$@" "$word" ;;
            *) return 1 ;;
        esac
    done
    [ "$kinds" = -pie-nodefaultlibs ] && {before} "$@" {after} >/dev/null 2>&1
}}
link "$@" || exec {gcc} "$@"
"""
_ORDINARY_SCRIPT = '#!/bin/sh\nexec {gcc} "$@"\n'
_AHEAD = """\
if [ -p /proc/self/fd/{gate_fd} ] && [ "$*" = {first}" $2 "{rest} ]; then
    printf %s "$2" >&{gate_fd}
    read -r _ <&{ended_fd}
    [ -e solution ] && exit
fi
exec {gate_fd}>&- {ended_fd}<&-
"""
# In mold's place: its words go to a file.
_RECORD = 'printf "%s\\0" "$@" >"$0"'
RECIPE = _SCRIPT + _ORDINARY_SCRIPT + _AHEAD


@dataclass(frozen=True, slots=True)
class Ahead:
    """A mold that was started ahead for what rustc will give, and the numbers of two descriptors, see ahead_of_rustc.c.

    `given[1]` is an object that lies in another place each time.
    """

    given: tuple[str, ...]
    gate_fd: int
    ended_fd: int


def write_linker(gcc: str, directory: Path, ahead: Ahead | None = None) -> None:
    """Make the script in `directory`; without mold, or when gcc's answer is not understood, it is gcc alone."""
    script = directory / NAME
    try:
        script.write_text(_script(gcc, _around(gcc, directory), ahead))
    except (PreparationError, LookupError, ValueError):
        script.write_text(_ORDINARY_SCRIPT.format(gcc=gcc))
    script.chmod(0o755)


def words_for_mold(gcc: str, given: tuple[str, ...], directory: Path) -> tuple[str, ...]:
    """How the script would call mold for what rustc gives to gcc.

    Raises PreparationError, LookupError and ValueError when it would not.
    """
    mold, before, after = _around(gcc, directory)
    with tempfile.TemporaryDirectory() as name:
        words, script = Path(name) / "words", Path(name) / NAME
        recording = ("/bin/sh", "-c", _RECORD, str(words))
        script.write_text(_script("/bin/false", (recording, before, after), None))
        command(("/bin/sh", str(script), *given), working_directory=Path(name))
        return (*mold, *words.read_text().split("\0")[:-1])


type _Around = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""mold, its words before what is linked, and those behind it."""


def _around(gcc: str, directory: Path) -> _Around:
    """Raises PreparationError, LookupError and ValueError."""
    if not os.access(MOLD, os.X_OK):
        raise LookupError(MOLD)
    linked = directory / "linked.o"
    linked.touch()
    try:
        words = linking((gcc, "-pie", "-nodefaultlibs", "-o", "solution", linked.name), directory)
    finally:
        linked.unlink()
    place = words.index(linked.name)
    return words[:1], words[1:place], words[place + 1 :]


def _script(gcc: str, around: _Around, ahead: Ahead | None) -> str:
    mold, before, after = around
    return _SCRIPT.format(
        ahead="" if ahead is None else _ahead(ahead),
        before=shlex.join((*mold, *before)),
        after=shlex.join(after),
        gcc=gcc,
    )


def _ahead(ahead: Ahead) -> str:
    first, _, *rest = ahead.given
    words = {"first": shlex.quote(first), "rest": shlex.quote(" ".join(rest))}
    return _AHEAD.format(gate_fd=ahead.gate_fd, ended_fd=ahead.ended_fd, **words)
