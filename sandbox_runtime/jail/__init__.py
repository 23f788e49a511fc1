"""Run one untrusted program, contained: `open_slot(config).run(spec) -> Outcome`.

Standard library only; knows nothing of languages, verdicts or queues. docs/jail.md has controls and limits as tables.

Theory of operation
===================

Processes. The runner is root and holds credentials. One of its threads, the supervisor, watches one run. A slot has a
template: a single-threaded process in a read-only root of its own, started by exec with a clean environment. The
template forks each run into new namespaces. Process 1 there is init, a small C program that reaps and reports. Process
2 is the program: it sets the run up as root, gives up every right, and becomes the guest by exec.

    runner ── template ── init (1) ── program (2), then guest ── processes of the guest

Descriptors. The control socket joins supervisor and template: start messages in, `open`, `started` with init's pidfd,
`reaped` and `failed` out. Each run has a status socket: the request goes in, `ready`, `failed` and the end report come
out. Input and files are sealed memory files. Output goes through two pipes that the supervisor bounds. A run may get
pipes of its caller for its input and output instead, and a net namespace, which the template enters before it clones. A
descriptor of its working directory comes back where its files are needed. The guest holds 0, 1 and 2 and nothing
else.

A slot is opened once for up to 1,000 runs:

 1. Make the cgroups: nothing starts without them.
 2. Exec the template. Reset the signals and the priority that it inherited, because guests inherit them in turn.
    Compile the filters and read init now, because the files are out of reach later.
 3. Move to a private mount namespace. Record namespaces and filters: evidence compares with them, and the host's /proc
    goes away next.
 4. Build the root from overlays of the host's directories, pivot into it, remount it read-only. From here on no step
    can name a host path.
 5. Empty the bounding set and become non-dumpable: forks inherit both.

A run is started in this order:

 1. Supervisor: set the limits of the cgroups, reset the peak, read the counters. No process exists before its limits.
 2. Supervisor: send descriptors to the template, then write and seal input and files, then send the request. The
    template never reads a request, because the next guests inherit its memory.
 3. Template: clone init. It shares the template's memory, as with vfork(2), until it executes its own program.
 4. Init: enter the pids cgroup, so that the program is born a member. Fork the program. Drop user id and
    capabilities, exec, close all descriptors but one, load a filter of six calls.
 5. Program: mount /proc, /tmp, /dev/shm and /box, place the files. This needs root, and no guest exists that could
    race. Wait at a pipe until init is confined: no guest may run while a root process shares that memory.
 6. Enter the memory and CPU cgroups, then the cgroup namespace, which takes the current cgroup as its root. Init stays
    outside the memory cgroup, so an out-of-memory kill cannot hit it.
 7. Set rlimits, then drop identity, then load the filter: it needs no_new_privs and refuses the calls before it.
 8. Measure every control on this very process and compare with the floor. Exec and the guest can undo none of them.
 9. Report `ready`, which starts the clock, then exec. For Python the fork may run the script itself (`python_fork`).

A pre-warmed run stops after the measurement and waits for its files. It places them as the guest's user, sets the
file-size limit, checks the floor, and goes on. It is used once or killed.

The supervisor polls output, reports, the pidfd, out-of-memory events and its deadlines. To stop a run it kills init,
and the kernel kills the rest of the namespace. When the program ends, init reports its status and whether another
process lives. The outcome is complete when none does; init and its namespaces end after the answer.

Trust. The kernel, the runner, the template, init and the program before exec are trusted. Toolchains run in the jail.
Nothing that a guest writes is parsed, and no path that it made is deleted from outside. Its files are opened in one
place, `box`, after its death. Python text goes into
the template once, and `marshal` into a run; JSON and 32 bytes come out, written before guest code runs, or by init.

Failures. The sandbox fails as JailError with step, target and errno; the slot is then unhealthy and must be reopened.
The guest fails as an Outcome. A set-up step that fails, or a floor that is not met, ends the run before guest code.
Init exits on any unexpected result. If the template dies, so does its run; if the runner dies, the template kills the
run, and the next runner removes the cgroups.

Evidence. The program reads its own /proc before exec; `Evidence` lists each control as applied or missing, and unseen
is missing. Usage is the difference of the cgroups' counters.

Reuse. A slot keeps its template, root, user id, pids cgroup and CPU cgroup. It keeps the memory cgroup if at most 1 MiB
is charged to it. Processes, namespaces, private mounts and descriptors are new in each run.
"""

from sandbox_runtime.jail.box import Box, NotRegularFileError
from sandbox_runtime.jail.controls.cgroup import remove_stale_groups
from sandbox_runtime.jail.controls.mounts import BindMount
from sandbox_runtime.jail.controls.own_inodes import confirm_inputs, make_inputs_folder
from sandbox_runtime.jail.errors import NEEDS_ROOT, JailError, TransientJailError
from sandbox_runtime.jail.evidence import CONTROLS, STRICT_CONTROLS, not_in_force
from sandbox_runtime.jail.host import HostFacts, HostSupport, advice, core_pattern_problem, probe_host, read_facts
from sandbox_runtime.jail.python_fork import WarmStart
from sandbox_runtime.jail.spec import (
    CgroupUsage,
    FilterFamily,
    GuestFile,
    GuestPipes,
    InputFile,
    JailSpec,
    Limits,
    Outcome,
    StopReason,
    WaitingCommand,
)
from sandbox_runtime.jail.supervisor.deadlines import SETUP_TIMEOUT
from sandbox_runtime.jail.supervisor.slot import SetUpCpus, Slot, SlotConfig, open_slot

__all__ = [
    "CONTROLS",
    "NEEDS_ROOT",
    "SETUP_TIMEOUT",
    "STRICT_CONTROLS",
    "BindMount",
    "Box",
    "CgroupUsage",
    "FilterFamily",
    "GuestFile",
    "GuestPipes",
    "HostFacts",
    "HostSupport",
    "InputFile",
    "JailError",
    "JailSpec",
    "Limits",
    "NotRegularFileError",
    "Outcome",
    "SetUpCpus",
    "Slot",
    "SlotConfig",
    "StopReason",
    "TransientJailError",
    "WaitingCommand",
    "WarmStart",
    "advice",
    "confirm_inputs",
    "core_pattern_problem",
    "make_inputs_folder",
    "not_in_force",
    "open_slot",
    "probe_host",
    "read_facts",
    "remove_stale_groups",
]
