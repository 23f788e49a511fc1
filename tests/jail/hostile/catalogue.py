"""The hostile programs: `programs/<language>/<attack>.<suffix>`, each with a header that names the expected verdict.

* `expect: VERDICT [VERDICT…]`: the verdicts that are right in the real jail.
* `attack: T<nr> [T<nr>…] <name>: what it tries`. The name is the file's.
* `control: <name>`: the one control that it is against, see `weakened`. Or
* `alone: <reason>`: why there is none that could be taken away, so that it runs in the real jail only.
"""

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

from tests.jail.weakened.changes import CHANGES
from tests.jail.weakened.limits import LIFTABLE

FOLDER = Path(__file__).parents[2] / "guests" / "hostile"
SUFFIXES = {
    "python": ".py",
    "c": ".c",
    "cpp": ".cpp",
    "java": ".java",
    "javascript": ".js",
    "typescript": ".ts",
    "go": ".go",
    "rust": ".rs",
    "lua": ".lua",
    "bash": ".sh",
}
# Where only some toolchains are installed, as in the virtual machine, the tests are told which.
CHOSEN_LANGUAGES = tuple(os.environ.get("RUSTBOX_TEST_LANGUAGES", " ".join(SUFFIXES)).split())
# Their instruction and their calls do not exist on another CPU, so they do not even compile there.
_X86_64_ONLY = frozenset({"c/foreign_abi.c", "c/old_calls.c"})
# Controls that this host is known to hold on to, as a container does: only for them the second run may be left out.
UNPROVABLE = tuple(os.environ.get("RUSTBOX_TEST_UNPROVABLE", "").split())
VERDICTS = frozenset({"AC", "RE", "TLE", "MLE", "PLE", "FSE", "SIG"})
# The environment of the run is the test's to give.
IN_REQUEST = frozenset({"clean_environment"})
CONTROLS = frozenset(CHANGES) | LIFTABLE | IN_REQUEST
_HEADER = re.compile(r"(?:#|//|--) (expect|attack|control|alone): (.+)")
_ATTACK = re.compile(r"((?:T\d+ )+)(\w+): (\S.+)")


class HeaderError(Exception):
    """A program's header does not follow the rules above."""


@dataclass(frozen=True, slots=True)
class Program:
    """One file. `threats`: numbers of the list T1 to T31 that the suite is built from."""

    language: str
    attack: str
    path: Path
    expected: tuple[str, ...]
    threats: tuple[int, ...]
    control: str | None

    @property
    def name(self) -> str:
        """As tests call it."""
        return f"{self.language}/{self.path.name}"

    @property
    def is_compile_attack(self) -> bool:
        """Whether the compiler is the victim."""
        return self.attack.startswith("compile_")

    @property
    def is_compiler_bomb(self) -> bool:
        """Whether it may end because the compiler runs out of time."""
        return self.is_compile_attack and "TLE" in self.expected

    @property
    def code(self) -> bytes:
        """The source."""
        return self.path.read_bytes()


def parse(language: str, path: Path) -> Program:
    """Read one file. Raises HeaderError."""
    matches = [_HEADER.fullmatch(line) for line in path.read_text().splitlines()[:3]]
    fields = {match[1]: match[2] for match in matches if match}
    attack = _ATTACK.fullmatch(fields.get("attack", ""))
    expected = tuple(fields.get("expect", "").split())
    control, alone = fields.get("control"), fields.get("alone")
    if path.suffix != SUFFIXES[language] or not matches[0] or not matches[1] or attack is None:
        raise HeaderError(f"{path}: expect and attack are the first two lines")
    if not expected or not set(expected) <= VERDICTS or attack[2] != path.stem:
        raise HeaderError(f"{path}: unknown verdict, or the attack is not named as the file")
    if (control is None) == (alone is None):
        raise HeaderError(f"{path}: the third line names a control, or says why there is none (alone)")
    if control is not None and control not in CONTROLS:
        raise HeaderError(f"{path}: no such control: {control}")
    threats = tuple(int(word[1:]) for word in attack[1].split())
    return Program(language, attack[2], path, expected, threats, control)


def all_programs() -> list[Program]:
    """Every program, in an order that lets programs against one control follow each other."""
    programs = [
        parse(language, path)
        for language, suffix in SUFFIXES.items()
        for path in sorted((FOLDER / language).glob(f"*{suffix}"))
        if platform.machine() == "x86_64" or f"{language}/{path.name}" not in _X86_64_ONLY
    ]
    return sorted(programs, key=lambda program: (program.control or "", program.name))
