"""The data packages, such as numpy: an optional folder of the toolchains that Python programs import from.

`make data-packages` fills `<toolchains>/data` from data_packages.txt. Guests see it read-only. Without the folder
nothing changes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from types import MappingProxyType

from sandbox_runtime.languages.entry import Language

GUEST_PATH = "/opt/rustbox/data"
FIGURES_VARIABLE = "RUSTBOX_FIGURES"
"""With it `pyplot.show()` writes files: see `adapt_matplotlib`."""
PACKAGES = frozenset(
    {
        "beautifulsoup4",
        "lxml",
        "matplotlib",
        "networkx",
        "numpy",
        "openpyxl",
        "pandas",
        "pillow",
        "python-dateutil",
        "pyyaml",
        "requests",
        "scikit-learn",
        "scipy",
        "seaborn",
        "sympy",
        "tabulate",
    }
)
"""Names of the distributions that are offered. The others of the folder are their dependencies."""
_FOLDER = "data"
_ENVIRONMENT = (
    ("PYTHONPATH", GUEST_PATH),
    # There is no display.
    ("MPLBACKEND", "Agg"),
    # A folder in the home directory would be an artifact of the program.
    ("MPLCONFIGDIR", "/tmp/matplotlib"),  # noqa: S108 - of the guest, which is alone there
    # As many threads as the host has CPUs would meet the limit on processes.
    ("OPENBLAS_NUM_THREADS", "1"),
    ("OMP_NUM_THREADS", "1"),
)


def versions(toolchains_dir: str) -> Mapping[str, str]:
    """Return the versions of the offered packages by name; none if they are not installed."""
    found = {one.name.casefold(): one.version for one in distributions(path=[str(_folder(toolchains_dir))])}
    return MappingProxyType({name: found[name] for name in sorted(PACKAGES & found.keys())})


def with_packages(language: Language, toolchains_dir: str) -> Language:
    """Return Python with the installed packages; any other language, and Python without packages, unchanged."""
    folder = _folder(toolchains_dir)
    if language.name != "python" or not folder.is_dir():
        return language
    return replace(
        language, environment=(*language.environment, *_ENVIRONMENT), shown_folders=((str(folder), GUEST_PATH),)
    )


def libraries(language: Language) -> Iterator[Path]:
    """Return the machine code of the packages of a language, which is read before guests need it."""
    for folder, _ in language.shown_folders:
        yield from Path(folder).rglob("*.so*")


def _folder(toolchains_dir: str) -> Path:
    return Path(toolchains_dir) / _FOLDER
