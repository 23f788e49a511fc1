"""A linker for rustc: takes the arguments for gcc, and calls mold as gcc would, without gcc and collect2.

It is a shell script named `gcc`, because rustc chooses its options by that name and prints it in its diagnostics. For
an unknown argument or an error of mold it executes the real gcc with all arguments.
"""

import os
import shlex
from pathlib import Path

from sandbox_runtime.languages.gcc.direct import linking
from sandbox_runtime.languages.gcc.linker import MOLD
from sandbox_runtime.languages.preparation import PreparationError

NAME = "gcc"

# For an executable. The loop takes each argument from the front of the list, and appends those for mold at its end.
# `@` starts the name of a file with arguments; gcc and mold have different ones.
_SCRIPT = """\
#!/bin/sh
set -f
link() {{
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
RECIPE = _SCRIPT + _ORDINARY_SCRIPT


def write_linker(gcc: str, directory: Path) -> None:
    """Write the script in `directory`. Without mold, or if gcc's answer has another form, it only calls gcc."""
    script = directory / NAME
    script.write_text(_script(gcc, directory))
    script.chmod(0o755)


def _script(gcc: str, directory: Path) -> str:
    ordinary = _ORDINARY_SCRIPT.format(gcc=gcc)
    if not os.access(MOLD, os.X_OK):
        return ordinary
    linked = directory / "linked.o"
    linked.touch()
    try:
        words = linking((gcc, "-pie", "-nodefaultlibs", "-o", "solution", linked.name), directory)
        place = words.index(linked.name)
    except (PreparationError, LookupError, ValueError):
        return ordinary
    finally:
        linked.unlink()
    return _SCRIPT.format(before=shlex.join(words[:place]), after=shlex.join(words[place + 1 :]), gcc=gcc)
