"""Hostile programs over HTTP: contained, judged right, and the next run is unaffected."""

from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from bench.processes import descendants
from tests.system.local_stack import LocalStack, run

FORK_BOMB = "import os\nwhile True:\n  try: os.fork()\n  except OSError: raise SystemExit(1)"
MEMORY_BOMB = "x = []\nwhile True: x.append(b'x' * 10_000_000)"
ENDLESS_LOOP = "while True: pass"
CONNECT_OUT = (
    "import socket\ntry: socket.create_connection(('1.1.1.1', 53), 6)\nexcept OSError as e: print(e.errno > 0)"
)
READ_PASSWD = "try: print(open('/etc/passwd').read())\nexcept OSError as e: print('no', e.errno)"


@pytest.mark.parametrize(
    ("code", "limits", "verdicts"),
    [
        (FORK_BOMB, {}, {"PLE"}),
        (MEMORY_BOMB, {}, {"MLE"}),
        (ENDLESS_LOOP, {"cpu_time_secs": 1}, {"TLE"}),
        ("import time; time.sleep(60)", {"wall_time_secs": 1}, {"TLE"}),
        ("import os; os.kill(os.getpid(), 11)", {}, {"SIG"}),
        ("open('big', 'wb').write(b'x' * 10_000_000)", {}, {"FSE", "RE"}),
        ("while True: print('x' * 1000)", {}, {"RE", "SIG"}),
    ],
    ids=["fork bomb", "memory bomb", "endless loop", "sleeper", "signal", "large file", "endless output"],
)
def test_hostile_program_gets_its_verdict_and_the_next_run_is_unaffected(
    client: httpx.Client, code: str, limits: dict[str, float], verdicts: set[str]
) -> None:
    assert run(client, code, limits=limits)["verdict"] in verdicts
    following = run(client, "print('fine')")
    assert (following["verdict"], following["stdout"]) == ("AC", "fine\n")


def test_password_file_is_absent(client: httpx.Client) -> None:
    assert run(client, READ_PASSWD)["stdout"] == "no 2\n"


def test_connecting_out_fails_at_once(client: httpx.Client) -> None:
    # A timeout has no errno.
    assert run(client, CONNECT_OUT)["stdout"] == "True\n"


def test_environment_shows_no_secret_of_the_runner(client: httpx.Client) -> None:
    names = run(client, "import os; print(sorted(os.environ))")["stdout"]
    assert not [word for word in ("AWS", "QUEUE", "BUCKET", "PYTHONPATH", "NODE_ID") if word in names]


def test_the_runner_and_its_programs_have_neither_the_engines_file_nor_its_keys(
    stack: LocalStack, client: httpx.Client
) -> None:
    folder, socket = stack.state_dir / "engine", stack.state_dir / "runner.sock"
    assert (folder / "rustbox.sqlite").exists()
    assert socket.is_socket()
    code = f"""import os
links = [f"/proc/self/fd/{{number}}" for number in range(1024)]
print([os.readlink(link).split(":")[0] for link in links if os.path.lexists(link)])
print(os.path.exists({str(folder)!r}), os.path.exists({str(socket)!r}))
"""
    opened, found = run(client, code)["stdout"].splitlines()
    assert opened == "['/memfd', 'pipe', 'pipe']"
    assert found == "False False"
    processes = descendants(stack.runner_pid())
    assert len(processes) > 1
    for pid in processes:
        for path in _opened(pid):
            assert not path.startswith(str(folder)), (pid, path)


def _opened(pid: int) -> list[str]:
    """Return what a process has open or mapped; a process that just ended has nothing."""
    found = []
    with suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found.append(str(descriptor.readlink()))
        lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
        found += [line.split(maxsplit=5)[5] for line in lines if len(line.split(maxsplit=5)) == 6]
    return found
