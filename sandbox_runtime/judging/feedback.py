"""Feedback files of Kattis validators: they write them into the directory that is their third argument.

A shell runs the validator, in the validator's jail, and prints the files to standard error after it. So the runner
opens no file that a program made, and the bounds of the output hold for them too.
"""

from dataclasses import replace
from typing import NamedTuple

from sandbox_runtime.jail.spec import JailSpec

DIRECTORY = "/tmp/"  # noqa: S108 - of the validator's own jail
_SHELL = "/bin/sh"
_FILES, _MOST_BYTES = 5, 16_384
# The shell lets go of both streams, because they are pipes to a program if the validator is an interactor. Standard
# input needs the detour: a command in the background gets an empty one.
_SCRIPT = f"""
mark=$1
shift
exec 3<&0
"$@" <&3 3<&- &
exec <&- >&- 3<&-
wait $!
code=$?
for name in judgemessage judgeerror teammessage score score_multiplier; do
    printf %s "$mark" >&2
    [ -f {DIRECTORY}$name.txt ] && head -c {_MOST_BYTES} {DIRECTORY}$name.txt >&2 2>/dev/null
done
exit $code
"""


def with_feedback(spec: JailSpec, mark: str) -> JailSpec:
    """Return the run of a validator that prints its feedback files.

    `mark`: a secret word. It parts the files from the output, which may quote the contestant's.
    """
    limits = replace(spec.limits, max_processes=spec.limits.max_processes + 1)
    return replace(spec, argv=(_SHELL, "-c", _SCRIPT, _SHELL, mark, *spec.argv), limits=limits)


class Feedback(NamedTuple):
    """The files of a validator. `judge`: messages for the judge; `team`: for the contestant. Empty: no such file."""

    judge: bytes
    team: bytes
    score: bytes = b""
    score_multiplier: bytes = b""


def feedback_of(stderr: bytes, mark: str) -> Feedback:
    """Return the messages. The judge's are the files, a line break after each, and then the rest of standard error."""
    own, *files = stderr.split(mark.encode())
    *files, team, score, multiplier = files if len(files) == _FILES else (*files, b"", b"", b"")
    message = b"".join(content.rstrip(b"\n") + b"\n" for content in files if content) + own
    return Feedback(message, team, score, multiplier)
