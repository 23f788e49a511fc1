"""Processes of one machine keep little memory that nothing uses."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

ONE_DESCRIPTION = """
import sys
from pathlib import Path
from infra.local.embedded_aws import EmbeddedAws, session
embedded = EmbeddedAws(Path(sys.argv[1]), "NORMAL")
embedded.answer_clients()
first, second = (session().client("s3")._service_model._service_description for _ in range(2))
assert first is second, "each session has read it"
s3, sqs = session().client("s3"), session().client("sqs", region_name="eu-central-1")
assert (s3.meta.endpoint_url, s3.meta.partition) == ("https://s3.amazonaws.com", "aws")
assert sqs.meta.endpoint_url == "https://sqs.eu-central-1.amazonaws.com"
assert "documentation" in first["clientContextParams"]["UseArnRegion"], "botocore reads these texts"
assert not any("documentation" in shape for shape in first["shapes"].values())
embedded.close()
"""

# Blocks below the threshold come from the threads' arenas. Python's own small objects never do.
FREE_MEMORY = """
import ctypes, sys, threading
from infra.local.processes.launcher import bound_free_memory
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena a b c d e f used free g".split()]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
if sys.argv[1] == "bounded":
    bound_free_memory()
everybody = threading.Barrier(30)
def use():
    everybody.wait(60)
    blocks = [bytes(60_000) for _ in range(100)]
    kept = bytes(2_000)
    del blocks
    everybody.wait(60)
threads = [threading.Thread(target=use) for _ in range(30)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(libc.mallinfo2().arena)
"""


def run(program: str, argument: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program, argument], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_sessions_share_the_descriptions_of_services(tmp_path: Path) -> None:
    run(ONE_DESCRIPTION, str(tmp_path))


def test_threads_leave_little_free_memory() -> None:
    bounded, unbounded = (int(run(FREE_MEMORY, argument)) for argument in ("bounded", "unbounded"))
    assert bounded < 40_000_000, (bounded, unbounded)
    assert bounded < unbounded, (bounded, unbounded)  # how much less depends on the host's malloc and cores
