"""Processes that make trials side by side, each with slots of its own, so that "left over" has one suspect."""

import contextlib
import multiprocessing
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.util import Finalize

from sandbox_runtime.languages import Language, present
from tests.jail.hostile.beacons import beacons
from tests.jail.hostile.catalogue import Program
from tests.jail.hostile.trial import TOOLCHAINS, Range, Trial
from tests.jail.weakened.patience import be_patient

_WORKERS = 2
_WORTH_ANOTHER = 20  # programs; for fewer its slots take longer to open than it saves
_range: list[Range] = []  # one for each worker process


def _begin(names: tuple[str, ...]) -> None:
    be_patient()
    stack = contextlib.ExitStack()
    languages = {name: language for name, language in present(TOOLCHAINS).items() if name in names}
    _range.append(Range(languages, stack.enter_context(beacons())))
    stack.callback(_range[0].close)
    Finalize(None, stack.close, exitpriority=1)


def _try_out(program: Program) -> Trial:
    return _range[0].try_out(program)


@contextlib.contextmanager
def trials(programs: list[Program], languages: Mapping[str, Language]) -> Iterator[dict[str, Future[Trial]]]:
    """Begin the trials of all programs; gives the coming results by the programs' names."""
    context = multiprocessing.get_context("spawn")
    workers = _WORKERS if len(programs) > _WORTH_ANOTHER else 1
    with ProcessPoolExecutor(workers, context, _begin, (tuple(languages),)) as pool:
        try:
            yield {program.name: pool.submit(_try_out, program) for program in programs}
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
