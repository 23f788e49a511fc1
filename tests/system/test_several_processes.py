"""The functions in several processes on one port: one that dies is replaced, and limits hold for all together."""

import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from functions.projects.model import MAX_IN_FLIGHT, Quota
from tests.choice import whole_but
from tests.system.local_stack import LocalStack, final_result, run, wait_for, wait_until
from tests.system.webhook_inbox import open_inbox


def children(local: LocalStack, name: str) -> list[int]:
    """Return the pids of the launcher's processes of this name, without those that end meanwhile."""
    assert local.process is not None
    found = []
    for pid in Path(f"/proc/{local.process.pid}/task/{local.process.pid}/children").read_text().split():
        with suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(int(pid))
    return found


def first_children(local: LocalStack, name: str, count: int) -> list[int]:
    """Return the pids of so many processes, as soon as each has its name: the first one may answer before."""

    def find() -> list[int] | None:
        pids = children(local, name)
        return pids if len(pids) == count else None

    return wait_for(find, 20, f"{count} {name}", local.log)


def pids_of(local: LocalStack) -> dict[str, int]:
    """Return the pid of each process of a small stack."""
    names = ("rb-functions", "rb-background")
    return {"rb-runner": local.runner_pid(), **{name: first_children(local, name, 1)[0] for name in names}}


def connections(local: LocalStack, pid: int) -> int:
    """Count the HTTP connections of a process."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was closed meanwhile
            inodes.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    port = f":{local.port:04X}"
    return sum(row[1].endswith(port) and row[3] == "01" and row[9] in inodes for row in rows)


ENDS_SECS = 15
"""A process of a stack at rest ends within this time; alone it takes one to three seconds."""


@pytest.fixture(scope="module")
def three(small_stack: Callable[..., LocalStack]) -> LocalStack:
    """Give a stack of three processes, which the last test here stops."""
    made = small_stack(RUSTBOX_PROCESSES="3")
    made.start()
    return made


def test_all_processes_answer_on_one_port_and_quotas_hold_for_all_together(three: LocalStack) -> None:
    local = three
    pids = first_children(local, "rb-functions", 3)
    assert len(children(local, "rb-background")) == 1
    clients: list[httpx.Client] = []

    def have_all_answered() -> bool:
        clients.append(local.client())
        assert run(clients[-1], "print(1)")["stdout"] == "1\n"
        return all(connections(local, pid) for pid in pids)

    wait_until(have_all_answered, 60, "each process has a connection", local.log)
    for client in clients:
        client.close()
    few = Quota(per_minute=1000, per_day=5, in_flight=MAX_IN_FLIGHT)
    key = local.add_project("few", quotas={"judge": few, "agent": few})

    def submit(_: int) -> int:
        with local.client(key) as client:
            return client.post("/api/submit", json={"language": "python", "code": "print(1)"}).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(submit, range(24)))
    assert sorted(statuses) == [202] * 5 + [429] * 19


def test_a_killed_process_is_replaced_and_no_connection_is_refused(killed_stack: LocalStack) -> None:
    local = killed_stack
    (killed,) = first_children(local, "rb-functions", 1)
    over = threading.Event()
    refused: list[httpx.TransportError] = []
    answers: list[str] = []

    def ask() -> None:
        while not over.is_set():
            with local.client() as client:  # a connection of its own each time
                try:
                    answers.append(run(client, "print(1)")["stdout"])
                except httpx.ConnectError as error:
                    refused.append(error)
                except httpx.TransportError:
                    pass  # its process was killed

    with ThreadPoolExecutor(2) as threads:
        tasks = [threads.submit(ask) for _ in range(2)]
        wait_until(lambda: len(answers) > 4, 60, "answers", local.log)
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: children(local, "rb-functions") not in ([], [killed]), 20, "another process", local.log)
        before = len(answers)
        wait_until(lambda: len(answers) > before + 4, 60, "answers of the new process", local.log)
        over.set()
        assert [task.exception() for task in tasks] == [None, None]
    assert refused == []
    assert f"rb-functions {killed} ended (signal 9): starting another" in local.told()


@pytest.mark.parametrize("name", ["rb-functions", "rb-background", "rb-runner"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_process_that_a_signal_ends_is_replaced_and_the_others_go_on(
    killed_stack: LocalStack, name: str, number: signal.Signals
) -> None:
    local = killed_stack
    before = pids_of(local)
    ended = before.pop(name)
    sent_at = time.monotonic()
    os.kill(ended, number)
    wait_until(lambda: f"{name} {ended} ended" in local.told(), 40, "the process ends", local.log)
    assert time.monotonic() - sent_at < ENDS_SECS
    how = "signal 9" if number == signal.SIGKILL else "exit code 0"
    assert f"{name} {ended} ended ({how}): starting another" in local.told()
    after = pids_of(local)
    assert after.pop(name) != ended
    assert after == before
    wait_until(local.is_ready, 40, "the service is ready", local.log)
    with local.client() as client:
        queued = client.post("/api/submit", json={"language": "python", "code": "print(2)"}).json()["id"]
        assert final_result(client, queued)["stdout"] == "2\n"


@pytest.mark.whole  # the test below dies by one, and the stage `kills` counts them
def test_a_failpoint_kills_one_process_once(own_stack: Callable[..., LocalStack]) -> None:
    local = own_stack(RUSTBOX_PROCESSES="2")
    local.start(RUSTBOX_FAILPOINT="submit.after_create")
    lost = 0
    for _ in range(10):
        with local.client() as client:
            try:
                client.post("/api/submit", json={"language": "python", "code": "print(1)"})
            except httpx.TransportError:
                lost += 1
    assert lost == 1
    wait_until(lambda: "ended (signal 9)" in local.told(), 20, "the launcher noticed", local.log)
    assert local.stop() == 0
    assert local.told().count("ended (signal 9)") == 1


def test_messages_of_a_killed_process_return_at_once(own_stack: Callable[..., LocalStack]) -> None:
    local = own_stack(RUSTBOX_PARAM_PipelineVisibilitySecs="600", DRAIN_SECS="1")
    local.start(RUSTBOX_FAILPOINT="complete.before_write")
    with local.client() as client, open_inbox() as inbox:
        body = {"language": "python", "code": "print(3)", "webhook_url": inbox.url, "webhook_secret": "x"}
        queued = client.post("/api/submit", json=body).json()["id"]
        wait_until(lambda: "ended (signal 9)" in local.told(), 60, "a process is killed with a message", local.log)
    with local.client() as client:
        # The message itself is invisible for ten minutes.
        assert final_result(client, queued, 30)["stdout"] == "3\n"


@pytest.mark.parametrize("number", whole_but([signal.SIGKILL, signal.SIGTERM], [signal.SIGKILL]))
def test_runs_that_an_ended_runner_held_go_before_later_ones(
    own_stack: Callable[..., LocalStack], number: signal.Signals
) -> None:
    local = own_stack(SLOTS="1", DRAIN_SECS="1", RUSTBOX_PARAM_PendingRedriveSecs="600")
    local.start()
    sqs, name = local.aws("sqs"), "ApproximateNumberOfMessagesNotVisible"
    url = sqs.get_queue_url(QueueName="rustbox-local-BatchQueue")["QueueUrl"]

    def held() -> int:
        return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])

    with local.client() as client:
        bodies = [{"language": "python", "code": f"import time; time.sleep({secs})"} for secs in (3, *[0] * 15)]
        queued = [client.post("/api/submit", json=body).json()["id"] for body in bodies]
        wait_until(lambda: held() > 10, 20, "one runs, ten wait in the runner", local.log)
        os.kill(local.runner_pid(), number)
        ends = {one: final_result(client, one)["completed_at"] for one in queued}
        assert sorted(queued, key=ends.__getitem__) == queued


def test_a_stop_ends_requests_and_runs_under_way_in_order(three: LocalStack) -> None:
    local, key = three, three.add_project("stopped")
    code = "import time; time.sleep(1); print('done')"
    with local.client(key) as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(run, client, code)
        wait_until(lambda: client.get("/api/results").json()["items"] != [], 20, "it is accepted", local.log)
        assert local.stop() == 0
        assert answer.result()["stdout"] == "done\n"
    wait_until(lambda: local.process is not None and local.process.poll() == 0, 5, "the stack ended")
