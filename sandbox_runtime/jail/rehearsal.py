"""Run in the template what every run's process will run before it is the guest, as far as that changes nothing.

The interpreter writes into code that runs for the first times, PEP 659, and gives numbers to types and dictionaries
that it meets there. Done here, that is not done again in each fork, with a copy of each page that it writes to.
"""

import os

from sandbox_runtime.jail import evidence, measure, program, rlimits, syscalls
from sandbox_runtime.jail.main_script import MainScript
from sandbox_runtime.jail.mounts import PRIVATE_MOUNTS
from sandbox_runtime.jail.spec import Limits
from sandbox_runtime.jail.terms import Terms
from sandbox_runtime.jail.wire import RunDescriptors, RunRequest

ROUNDS = 8
_PR_GET_DUMPABLE = 3
_MUCH = 1 << 40
_LIMITS = Limits(
    cpu_time_secs=1,
    wall_time_secs=1,
    memory_bytes=_MUCH,
    max_processes=_MUCH,
    max_open_files=_MUCH,
    max_file_bytes=_MUCH,
    output_bytes=1,
)
_REQUEST = RunRequest(
    argv=("python3", "solution.py"),
    environment=(("LANG", "C.UTF-8"),),
    files=(("solution.py", 1, False),),
    artifact=None,
    artifact_max_bytes=0,
    init_entries=1,
    program_entries=2,
    is_staged=False,
    is_fed=False,
    family="default",
    limits=_LIMITS,
).serialise()
_DESCRIPTORS = list(range(9))
_NO_CAPABILITY = "0" * 16


def rehearse(terms: Terms, script: MainScript | None) -> None:
    """For a template that only forks from here on."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    for _ in range(ROUNDS):
        request = RunRequest.parse(_REQUEST)
        RunDescriptors.received(request, _DESCRIPTORS)
        controls = evidence.controls(measured_of_a_good_run(terms), terms)
        evidence.not_in_force(controls, terms.required_controls)
        program.report_ready(write_end, controls)
        syscalls.prctl("rehearse", _PR_GET_DUMPABLE)
        if script is not None:
            script.rehearse()
    os.close(read_end)
    os.close(write_end)


def measured_of_a_good_run(terms: Terms) -> measure.Measured:
    """What a run with all controls measures. The template has no /proc, and no limits."""
    rlimits.in_force(_LIMITS)
    values = dict.fromkeys(measure.STATUS_KEYS, _NO_CAPABILITY) | {
        "Uid": f"{terms.uid}\t" * 4,
        "Gid": f"{terms.uid}\t" * 4,
        "Groups": "",
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "Seccomp_filters": f"{(terms.outer_filters or 0) + 1}",
    }
    lines = ["45 44 0:45 / / ro,nosuid,relatime - tmpfs root rw,mode=755\n"]
    for point, mount in PRIVATE_MOUNTS.items():
        options = ",".join(("rw", "nosuid", *mount.required_options))
        lines.append(f"45 44 0:45 / {point} {options} - {mount.kind} run {options}\n")
    return measure.Measured(
        namespaces=dict.fromkeys(measure.NAMESPACES, "own"),
        user_namespace=terms.outer_namespaces[0]["user"],
        status=measure.status_words("Name:\tpython3\n" + "".join(f"{key}:\t{text}\n" for key, text in values.items())),
        groups="".join(f"1:{name}:/groups{terms.membership_marker}\n" for name in ("memory", "pids", "cpuacct")),
        mounts=measure.mount_table("".join(lines)),
        rlimits_in_force=True,
    )
