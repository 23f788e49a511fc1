"""Every program of `programs/` in the real jail: contained, with the right verdict, and nothing left behind.

A program that can tell whether its attack worked prints a line that begins with ESCAPED. Most of them name the one
control that they are against, and run a second time in a jail in which just that control is off (`weakened/`). There
the attack must work: this proves that the program could have told. Both runs end in the same test.

`make test` leaves out repeated programs; `make jail` and `make test-all` run them too.

What cannot be switched off on a machine that is to live on, and what is done instead:

* mount_namespace, pid_namespace, uts_namespace: a guest in the host's own could change or end the host (and init, which
  kills whatever it sees, would do so at once). The guest is shown the host's trees read-only, or shares the namespace
  with its template instead of with the host. `network_namespace` and `ipc_namespace` are really the host's; programs
  against them stay on the loopback and only look.
* unprivileged_user: user 0, but without capabilities. no_capabilities: five harmless ones. Never both.
* The limits are raised to another bound, never lifted: an unbounded bomb would meet the host. Programs end by
  themselves a little above the tight limit.
* seccomp, for what only root may do anyway (modules, kexec, reboot): the kernel refuses it without the filter too, so
  the second run would show nothing. Compilers' bombs have no end that they could reach within a bound.

A container holds on to some controls itself, so that the second run is impossible there. Which ones must be said by
RUSTBOX_TEST_UNPROVABLE (names, separated by blanks): any other control that cannot be taken away fails its tests.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future

import pytest

from sandbox_runtime.languages import Language
from tests.jail.hostile.catalogue import CHOSEN_LANGUAGES, UNPROVABLE, Program, all_programs
from tests.jail.hostile.report import TRIALS
from tests.jail.hostile.trial import Trial
from tests.jail.hostile.workers import trials
from tests.jail.weakened.changes import obstacle

PROGRAMS = [program for program in all_programs() if program.language in CHOSEN_LANGUAGES]
ATTACKS = {(program.language, program.attack) for program in PROGRAMS}
CONTROLS_IN_C = {(program.attack, program.control) for program in PROGRAMS if program.language == "c"}
# Programs of both languages are processes of one kind, under one filter of system calls: machine code, or Bun.
SAME_KIND = {"cpp": "c", "rust": "c", "typescript": "javascript"}
# Controls that the evidence of a run names, by the change that takes them away.
SEEN_MISSING = {
    "pid_namespace": "pid_namespace",
    "uts_namespace": "uts_namespace",
    "network_namespace": "network_namespace",
    "ipc_namespace": "ipc_namespace",
    "cgroup_namespace": "cgroup_namespace",
    "unprivileged_user": "unprivileged_user",
    "no_capabilities": "no_capabilities",
    "no_new_privileges": "no_new_privileges",
    "seccomp": "seccomp",
    "read_only_root": "read_only_root",
    "rlimits": "rlimits",
    "private_mounts": "private_mounts",
    "own_inodes": "own_inodes",
    "noexec_mounts": "private_mounts",
    "proc_subset": "private_mounts",
    "read_only_proc": "private_mounts",
}
# A process that outlives its run is the attack's success, and nobody is left to print it. The answer may be out by the
# time that it is found: then the slot says so, when it waits for the end of the run.
OUTLIVED = ("run ie_cleanup_failure", "end the run")


def is_repeated(program: Program) -> bool:
    """Whether a program of the same kind has the same attack, or one of C the same attack on the same control.

    A control is the kernel's, whatever language a program is written in. But each family has a filter of its own, and
    Python's programs are forks. Each compiler is a victim of its own.
    """
    if program.is_compile_attack or program.language in {"c", "python"}:
        return False
    if (SAME_KIND.get(program.language), program.attack) in ATTACKS:
        return True
    return program.control != "seccomp" and (program.attack, program.control) in CONTROLS_IN_C


@pytest.fixture(scope="module")
def coming(request: pytest.FixtureRequest, languages: Mapping[str, Language]) -> Iterator[dict[str, Future[Trial]]]:
    """Trials of the selected programs, under way in other processes."""
    parameters = [getattr(item, "callspec", None) for item in request.session.items]
    selected = {found.params["program"].name for found in parameters if found and "program" in found.params}
    with trials([program for program in PROGRAMS if program.name in selected], languages) as results:
        yield results


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(program, id=program.name, marks=[pytest.mark.whole] if is_repeated(program) else [])
        for program in PROGRAMS
    ],
)
def test_hostile_program_is_contained(
    program: Program, coming: dict[str, Future[Trial]], languages: Mapping[str, Language]
) -> None:
    assert program.language in languages, "the toolchain does not work on this host"
    trial = coming[program.name].result()
    TRIALS.append((program, trial))
    contained, weakened = trial.contained, trial.weakened

    assert not contained.claims_escape, contained.stdout[-2000:]
    assert contained.verdict in program.expected, contained
    assert not contained.controls_missing
    assert contained.cleanup_verified
    assert trial.canary == "", "the run after it"
    assert trial.changes_on_host == ""

    if weakened is None:
        held = "" if program.control is None else obstacle(program.control)
        assert held == "" or program.control in UNPROVABLE, f"cannot be proved here: {held} (RUSTBOX_TEST_UNPROVABLE)"
        return
    assert weakened.claims_escape or weakened.cause.startswith(OUTLIVED), ("it does not work without", weakened)
    if weakened.verdict == "JailError":
        assert program.control == "pid_namespace"
    elif program.control in SEEN_MISSING:
        assert SEEN_MISSING[program.control] in weakened.controls_missing
