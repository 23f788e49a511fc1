"""Run Python programs as forks of a warm interpreter. Optional: without `SlotConfig.warm` they start by exec.

The template is started as the very command of such a run, `template_command`. It executes `START_CODE`, makes one
`fork.PythonFork`, and uses nothing else of this package. docs/performance.md has the gain.
"""

from sandbox_runtime.jail.python_fork import huge_pages
from sandbox_runtime.jail.python_fork.warm_start import WarmStart, template_command

# The allocator must be changed before anything else is imported, because imports make most objects.
START_CODE = f"""
import sys
sys.path.insert(0, ROOT)
first = {{"__name__": "huge_pages"}}
with open({huge_pages.__file__!r}, encoding="ascii") as file:
    exec(compile(file.read(), file.name, "exec"), first)
arenas = first[{huge_pages.ArenasInHeap.__name__!r}]()
from sandbox_runtime.jail.inside.template import main
main(TERMS, PATH, arenas.collapse)
"""

__all__ = ["START_CODE", "WarmStart", "template_command"]
