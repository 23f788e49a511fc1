"""Python: the system's CPython, run as `python3 -u solution.py`."""

from sandbox_runtime.jail import FilterFamily
from sandbox_runtime.languages.entry import Language, Tool
from sandbox_runtime.languages.profiles import profiles

INTERPRETER = "/usr/bin/python3.13"

PYTHON = Language(
    name="python",
    file_name="solution.py",
    family=FilterFamily.PYTHON,
    tools=(Tool(INTERPRETER),),
    run_argv=(INTERPRETER, "-u", "solution.py"),
    profiles=profiles(
        memory_mb=256, cpu_secs=4, wall_secs=7, processes=10, open_files=32, file_mb=1, agent_processes=64
    ),
    version_argv=("{tool}", "--version"),
    trial="print(6 * 7)\n",
)
