"""`rustbox apply` of 60 things while the command and the processes of the service are killed."""

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.system.kill_run.killer import functions_of, kill_child
from tests.system.local_stack import ROOT, LocalStack, wait_until

COMMAND = ROOT / ".venv" / "bin" / "rustbox"
VICTIMS: Final = ("command", "functions", "launcher", "command")
"""Each is killed after some changes of one `apply`; every third one removes all. The next finds half of a file."""
MOST_LINES = 8
ROUNDS = 3


def write(folder: Path) -> None:
    """A file of 60 things: 20 endpoints, 30 checks, 8 problems, the quiet times and the status page."""
    (folder / "a.py").write_text("print(42)")
    for number in range(8):
        problem = folder / "problems" / f"p{number}"
        problem.mkdir(parents=True)
        (problem / "1.in").write_text(f"{number}\n" * 10_000)  # a file of the project
        (problem / "1.ans").write_text(f"{number}\n")
    endpoint = {"url": "https://hooks.example.com/x", "enabled": False, "headers": {"x-key": "$KEY"}}
    whole: dict[str, Any] = {
        "quiet_times": {"night": [{"schedule": "cron(0 2 * * ? *)", "minutes": 60}]},
        "endpoints": [{**endpoint, "description": f"e{number}", "ordered": number < 5} for number in range(20)],
        "problems": "problems",
        "checks": [
            {"slug": f"c{number}", "file": "a.py", "notify": [f"e{number % 20}"], "env": {"KEY": "$KEY"}}
            | ({"trigger": {"type": "check", "slug": f"c{number - 1}"}} if number % 10 else {})
            for number in range(30)
        ],
        "status_page": {"title": "Example", "checks": [f"c{number}" for number in range(30)]},
    }
    (folder / "project.yaml").write_text(json.dumps(whole))
    (folder / "none").mkdir()
    nothing: dict[str, Any] = {
        "quiet_times": {},
        "endpoints": [],
        "problems": "none",
        "checks": [],
        "status_page": None,
    }
    (folder / "empty.yaml").write_text(json.dumps(nothing))


def begin(local: LocalStack, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "RUSTBOX_URL": local.url, "KEY": "a-value"}
    pipe = subprocess.PIPE
    return subprocess.Popen([COMMAND, *arguments], cwd=folder, env=variables, stdout=pipe, stderr=pipe, text=True)


def finish(local: LocalStack, folder: Path, *arguments: str) -> tuple[int, str, str]:
    process = begin(local, folder, *arguments)
    printed, told = process.communicate(timeout=300)
    return process.returncode, printed, told


def kill(local: LocalStack, victim: str, command: "subprocess.Popen[str]") -> None:
    assert local.process is not None
    launcher = local.process.pid
    if victim == "command":
        command.kill()
    elif victim == "functions":
        before = {*functions_of(launcher)}
        assert before
        assert kill_child(min(before), launcher)
        wait_until(lambda: {*functions_of(launcher)} - before != set(), 60, "a new process", local.log)
    else:
        local.kill()
        local.start()


def state(client: httpx.Client) -> dict[str, Any]:
    """What the project has, with the time of the last change of each."""

    def items(path: str) -> list[Any]:
        listed: list[Any] = client.get(path, params={"limit": "100"}).json()["items"]
        return sorted(listed, key=lambda each: str(each["id"]))

    kept = ("id", "updated_at", "pushed_at", "version", "slug", "description", "notify")
    found = {
        path: [{name: each.get(name) for name in kept} for each in items(f"/api/{path}")]
        for path in ("webhooks", "checks", "problems")
    }
    return {**found, "page": client.get("/api/status-page").json(), "quiet": client.get("/api/quiet-times").json()}


@pytest.mark.timeout(600)
@pytest.mark.whole  # tests/adapters/projects/test_project_as_code.py interrupts one creation
def test_sixty_things_are_there_once_after_kills_and_another_apply_changes_nothing(
    own_stack: Callable[..., LocalStack], tmp_path: Path
) -> None:
    folder, chance = tmp_path / "checkout", random.Random(52)  # noqa: S311 - no secret comes of it
    folder.mkdir()
    write(folder)
    local = own_stack()
    local.start()
    planned = finish(local, folder, "plan")
    assert (planned[0], planned[2].splitlines()[0]) == (2, "59 to create, 1 to update"), planned
    ends = list[tuple[str, int]]()
    for number, victim in enumerate(VICTIMS * ROUNDS):
        file = ("empty.yaml", "--prune") if number % 3 == 2 else ("project.yaml",)
        with begin(local, folder, "apply", *file) as command:
            assert command.stdout is not None
            if all(command.stdout.readline() for _ in range(chance.randint(1, MOST_LINES))):
                kill(local, victim, command)
                ends.append((victim, command.wait(timeout=300)))
            printed, told = command.communicate(timeout=300)
        assert command.returncode in {0, -9, 69, 70, 75}, (victim, printed, told)
    assert {victim for victim, _ in ends} == {*VICTIMS}, ends
    assert sum(code != 0 for _, code in ends) > ROUNDS, ends  # others went on with the process that came instead
    code, printed, told = finish(local, folder, "apply")
    assert code == 0, (printed, told)
    with local.client() as client:
        before = state(client)
        counts = {name: len(before[name]) for name in ("webhooks", "checks", "problems")}
        assert counts == {"webhooks": 20, "checks": 30, "problems": 8}
        assert {each["description"] for each in before["webhooks"]} == {f"e{number}" for number in range(20)}
        ids = {each["description"]: each["id"] for each in before["webhooks"]}
        for check in before["checks"]:
            assert check["notify"] == [ids[f"e{int(check['slug'][1:]) % 20}"]]
        assert len(before["page"]["checks"]) == 30
        for command_name in ("apply", "plan"):
            assert finish(local, folder, command_name)[:2] == (0, "")
        assert state(client) == before
