"""A runner that may use real-time priorities (as a service often may) does not pass that on to its guests."""

import subprocess
import sys
from pathlib import Path

from tests.jail.weakened.limits import SLOWNESS

ROOT = Path(__file__).parents[2]
# A real-time process that spins would stop everything else on its CPU.
HOSTILE = """
import os, resource
def attempt(name, action):
    try:
        action()
        print("ESCAPED", name)
    except (OSError, ValueError) as error:  # resource makes the latter of EPERM
        print(name, error)
attempt("first in, first out", lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))
attempt("round robin", lambda: os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)))
attempt("nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -20))
attempt("a little nice", lambda: os.setpriority(os.PRIO_PROCESS, 0, -1))
for kind in (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE):
    attempt("limit", lambda: resource.setrlimit(kind, (40, 40)))
print(resource.getrlimit(resource.RLIMIT_RTPRIO), resource.getrlimit(resource.RLIMIT_NICE))
"""
RUNNER = """
import resource, sys
sys.path.insert(0, sys.argv[1])
resource.setrlimit(resource.RLIMIT_RTPRIO, (1, 1))
resource.setrlimit(resource.RLIMIT_NICE, (40, 40))
from sandbox_runtime.jail import FilterFamily, JailSpec, Limits, SlotConfig, open_slot
from tests.jail.weakened.patience import be_patient
be_patient()
secs = float(sys.argv[3])
limits = Limits(5 * secs, 20 * secs, 64 << 20, 4, 32, 1 << 20, 4000)
with open_slot(SlotConfig("priority", 57)) as slot:
    for family in (FilterFamily.NATIVE, FilterFamily.PYTHON):
        outcome = slot.run(JailSpec(("/usr/bin/python3", "-c", sys.argv[2]), limits, family=family))
        assert outcome.evidence.controls_missing == ()
        print(outcome.stdout.decode() + outcome.stderr.decode(), end="")
"""


def test_no_guest_gets_a_priority_over_others() -> None:
    command = [sys.executable, "-I", "-c", RUNNER, str(ROOT), HOSTILE, str(SLOWNESS)]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert "ESCAPED" not in done.stdout
    assert done.stdout.count("(0, 0) (0, 0)") == 2
