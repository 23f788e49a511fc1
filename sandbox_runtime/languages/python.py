"""Python: the system's CPython, run as `python3 -u solution.py`."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.metadata import distributions
from pathlib import Path
from types import MappingProxyType

from events import vocabulary
from sandbox_runtime.jail import FilterFamily, JailSpec, WarmStart
from sandbox_runtime.languages.entry import Language, Tool, profiles

# The versions that this project runs and tests, the best known first: forks (ADR 6) work with 3.13 only.
_INTERPRETERS = ("/usr/bin/python3.13", "/usr/bin/python3.14", "/usr/bin/python3.12")
INTERPRETER = next((path for path in _INTERPRETERS if Path(path).exists()), _INTERPRETERS[0])

# The modules that programs import most. Not modules that start a thread or make a secret at import, as multiprocessing
# does: all programs that are forked from one interpreter would share them.
# fmt: off
WARM_IMPORTS = (
    "__future__", "abc", "argparse", "array", "ast", "base64", "binascii", "bisect", "calendar", "cmath",
    "collections", "collections.abc", "concurrent.futures", "contextlib", "contextvars", "copy", "csv",
    "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "html",
    "inspect", "io", "itertools", "json", "keyword", "linecache", "locale", "logging", "math", "numbers",
    "operator", "os", "pathlib", "pprint", "queue", "random", "re", "secrets", "shlex", "shutil", "signal",
    "statistics", "string", "struct", "subprocess", "sys", "tempfile", "textwrap", "threading", "time", "timeit",
    "traceback", "types", "typing", "unicodedata", "urllib.parse", "uuid", "warnings", "weakref", "zlib",
)
# fmt: on

# It catches all errors: a source that is nested too deeply raises MemoryError or RecursionError.
_SOURCE_CHECK = """\
import sys
try:
    compile(sys.stdin.buffer.read(), "solution.py", "exec", dont_inherit=True)
except Exception:
    sys.exit(1)
"""

PYTHON = Language(
    name="python",
    file_name="solution.py",
    family=FilterFamily.PYTHON,
    tools=(Tool(INTERPRETER),),
    run_argv=(INTERPRETER, "-u", "solution.py"),
    profiles=profiles(vocabulary.Language.PYTHON, memory_mb=256, cpu_secs=4, open_files=32, file_mb=1),
    version_argv=("{tool}", "--version"),
    warm_imports=WARM_IMPORTS,
    trial="print(6 * 7)\n",
    source_check=_SOURCE_CHECK,
    # The second is a warning, which may come before a refusal.
    refusals=(b'  File "/box/', b"/box/solution.py:", b"SyntaxError: ", b"MemoryError", b"RecursionError"),
)


# The data packages, such as numpy: an optional folder of the toolchains that Python programs import from.
#
# `make data-packages` fills `<toolchains>/data` from data_packages.txt. Guests see it read-only. Without the folder
# nothing changes.

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
_IMPORT_NAMES = {
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "dateutil": "python-dateutil",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Of packages whose modules have another name."""
_MISSING_MODULE = re.compile(rb"^ModuleNotFoundError: No module named '(\w+)[\w.]*'\n\Z", re.MULTILINE)
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


def package_versions(toolchains_dir: str) -> Mapping[str, str]:
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


def missing_package(language: Language, stderr: bytes) -> str | None:
    """Say how to install the data package that a failed program has not found. None: it missed none of them."""
    if language.name != "python" or language.shown_folders:
        return None
    found = _MISSING_MODULE.search(stderr[-256:])
    module = found[1].decode(errors="replace") if found else ""
    package = _IMPORT_NAMES.get(module, module)
    if package not in PACKAGES:
        return None
    return f"{package} is not installed: make up DATA=1, or the image runner-data, has the data packages"


def _folder(toolchains_dir: str) -> Path:
    return Path(toolchains_dir) / _FOLDER


# The template of the data slot: an interpreter that has imported data packages, and forks each run from it.

# The guess is only a hint: with a wrong one a program imports the packages itself. Each line is read once.
_IMPORTS = re.compile(
    rb"^[ \t]*+(?:import|from)[ \t][^\n]*?\b(?:numpy|pandas|matplotlib|pylab|seaborn|scipy|sklearn|PIL)\b", re.MULTILINE
)
# The packages that most programs import, and none that a fork of all would pay for: its costs grow with its mappings.
# matplotlib wants a writable folder, and the template's root has none. The first plot fills caches; those of fonts
# have open files, which a run closes.
_SETUP = f"""
import os
os.environ["MATPLOTLIBRC"] = "{GUEST_PATH}/matplotlib/mpl-data/matplotlibrc"
import matplotlib
del os.environ["MATPLOTLIBRC"]
folders = matplotlib.get_configdir, matplotlib.get_cachedir
matplotlib.get_configdir = matplotlib.get_cachedir = lambda: os.environ["MPLCONFIGDIR"]
import matplotlib.backends.backend_agg, matplotlib.font_manager, matplotlib.pyplot
matplotlib.get_configdir, matplotlib.get_cachedir = folders
import io, numpy, numpy.linalg, numpy.random, pandas, PIL.Image, PIL.PngImagePlugin
figure = matplotlib.pyplot.figure()
figure.subplots().plot([1, 2])
figure.savefig(io.BytesIO(), format="png")
matplotlib.pyplot.close("all")
del figure
matplotlib.font_manager._get_font.cache_clear()
after_fork = numpy.random.seed
"""


def data_start(languages: Iterable[Language]) -> WarmStart | None:
    """Return the command that the template of the data slot keeps warm. None: no data packages are installed."""
    for language in languages:
        if language.shown_folders and language.warm_imports:
            return WarmStart(language.run_argv, language.guest_environment, language.warm_imports, _SETUP)
    return None


def imports_packages(warm: WarmStart, spec: JailSpec) -> bool:
    """Whether a run of this command seems to import one of the packages."""
    if not warm.matches(spec.argv, spec.environment) or not spec.files:
        return False
    return _IMPORTS.search(spec.files[0].content) is not None
