"""The only interface of this package inside the jail. The template makes it, and each run's process uses it."""

import os
from collections.abc import Callable, Sequence
from typing import Self

from sandbox_runtime.jail.protocol.wire import InputsTable
from sandbox_runtime.jail.python_fork.main_script import MainScript
from sandbox_runtime.jail.python_fork.shared_pages import keep_shared
from sandbox_runtime.jail.python_fork.warm_start import WarmStart

# The interpreter and its libraries read these variables once, at their start. OPENSSL: the beginning of a name.
_READ_AT_START = ("TZ", "OPENSSL")
# After so many runs the template's own loop allocates no more lasting memory.
_SETTLED_AFTER = 3


class PythonFork:
    """Prepares the template for forks, and runs a script in a fork. Raises JailError.

    `directory`: working directory of the script. `guests_path`: `sys.path` without it. `collapse`: of
    `huge_pages.ArenasInHeap`.
    """

    def __init__(self, warm: WarmStart, directory: str, guests_path: list[str], collapse: Callable[[], object]) -> None:
        self._warm, self._collapse = warm, collapse
        self._script = MainScript(warm.imports, f"{directory}/{warm.argv[-1]}", guests_path, warm.setup)

    def share_memory(self) -> None:
        """In the template: let forks share its memory. After this the template must only fork."""
        keep_shared()
        self._collapse()

    def before_run(self, number: int) -> None:
        """In the template, before run `number`, counted from 0."""
        if number == _SETTLED_AFTER:
            self._collapse()

    def matches(
        self, argv: tuple[str, ...], environment: tuple[tuple[str, str], ...], inputs: InputsTable = ()
    ) -> bool:
        """Whether a run of this command may be a fork of the template.

        Not with a module of its own whose name the template has loaded, such as queue.py: the script would get ours.
        """
        if not self._warm.matches(argv, environment):
            return False
        return not any(self._script.has_loaded(path) for path, *_ in inputs)

    def with_variables(self, variables: Sequence[tuple[str, str]]) -> Self | None:
        """In the run's process: add to its environment. None: it must start by exec, with these variables."""
        if any(name.startswith(_READ_AT_START) for name, _ in variables):
            return None
        os.environ.update(variables)
        return self

    def get_ready(self, *, is_prewarmed: bool) -> None:
        """In the run's process: become a fresh interpreter. `is_prewarmed`: no client waits yet."""
        self._script.get_ready(is_prewarmed=is_prewarmed)

    def run(self) -> None:
        """Run the script to the interpreter's end. Never returns."""
        self._script.run()
