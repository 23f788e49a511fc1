"""The small programs of all languages, by language and case, and the long one."""

from collections.abc import Mapping
from pathlib import Path

from sandbox_runtime.languages import LANGUAGES
from tests.choice import whole_but
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES
from tests.jail.weakened.limits import SLOWNESS

# Where only some toolchains are installed, as in the virtual machine, the tests are told which.
NAMES = [language.name for language in LANGUAGES if language.name in CHOSEN_LANGUAGES]
# One of each kind of process: a fork, machine code, a virtual machine, Bun.
KINDS = ("python", "c", "java", "javascript")
# Of a case that all languages meet alike, `make test` runs these.
ONE_OF_EACH_KIND = whole_but(NAMES, KINDS)
COMPILED = [language.name for language in LANGUAGES if language.compile is not None]

_FOLDER = Path(__file__).parents[2] / "guests" / "languages"
PROGRAMS: Mapping[str, Mapping[str, str]] = {
    language.name: {path.stem: path.read_text() for path in sorted((_FOLDER / language.name).iterdir())}
    for language in LANGUAGES
}
_REAL = _FOLDER / "real"
REAL_INPUT = (_REAL / "input.txt").read_bytes()
REAL_OUTPUT = (_REAL / "expected.txt").read_bytes()
REAL_PROGRAMS = {
    language.name: (_REAL / "real").with_suffix(Path(language.file_name).suffix).read_text() for language in LANGUAGES
}


# An emulated machine needs more time than the limits that make the endless programs end soon.
def cpu_secs(secs: float) -> float:
    return min(8, secs * SLOWNESS)


def wall_secs(secs: float) -> float:
    return min(25, secs * SLOWNESS)
