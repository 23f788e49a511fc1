"""Python: the system's CPython, run as `python3 -u solution.py`."""

from pathlib import Path

from events import vocabulary
from sandbox_runtime.jail import FilterFamily
from sandbox_runtime.languages.entry import Language, Tool
from sandbox_runtime.languages.profiles import profiles

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
)
