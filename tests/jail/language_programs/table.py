"""The small programs of all languages, by language and case, and the long one."""

from collections.abc import Mapping
from pathlib import Path

from sandbox_runtime.languages import LANGUAGES
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.language_programs import bash, c, cpp, go, java, javascript, python, rust, typescript
from tests.jail.weakened.limits import SLOWNESS

PROGRAMS: Mapping[str, Mapping[str, str]] = {
    "python": python.PROGRAMS,
    "c": c.PROGRAMS,
    "cpp": cpp.PROGRAMS,
    "java": java.PROGRAMS,
    "javascript": javascript.PROGRAMS,
    "typescript": typescript.PROGRAMS,
    "go": go.PROGRAMS,
    "rust": rust.PROGRAMS,
    "bash": bash.PROGRAMS,
}
# Where only some toolchains are installed, as in the virtual machine, the tests are told which.
NAMES = [language.name for language in LANGUAGES if language.name in CHOSEN_LANGUAGES]
COMPILED = [language.name for language in LANGUAGES if language.compile is not None]

_REAL = Path(__file__).parents[2] / "guests" / "real"
REAL_INPUT = (_REAL / "input.txt").read_bytes()
REAL_OUTPUT = (_REAL / "expected.txt").read_bytes()
# Python's is no .py file: it is a program to run, not a module of this project for its linters.
REAL_PROGRAMS = {
    language.name: (_REAL / "real").with_suffix(Path(language.file_name).suffix.replace(".py", ".python")).read_text()
    for language in LANGUAGES
}


# An emulated machine needs more time than the limits that make the endless programs end soon.
def cpu_secs(secs: float) -> float:
    return min(8, secs * SLOWNESS)


def wall_secs(secs: float) -> float:
    return min(25, secs * SLOWNESS)
