"""Every command that the README and the guides show, executed in order against the running stack."""

import json
import re
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.system.local_stack import LocalStack, free_port, wait_until
from tests.system.pages import Shell, blocks, copy_example

_UNDER_WAY = {"pending", "sending", "retrying"}


# In place of the time that a reader waits for a check's run.
_UNTIL_RUN_ENDED = (
    r"""while api "/api/checks/$CHECK/runs" | grep -qE '"status":"(queued|running)"'; do sleep 0.2; done"""
)


def shell(stack: LocalStack, folder: Path) -> tuple[Shell, int]:
    """A shell, and the port of the page's receiver here."""
    port = free_port()
    listening = f"until (: < /dev/tcp/127.0.0.1/{port}) 2> /dev/null; do sleep 0.2; done"
    replaced = {"http://127.0.0.1:4096": stack.url, "4099": str(port), "4443": str(port), "sleep 5": _UNTIL_RUN_ENDED}
    replaced["sleep 1"] = listening
    return Shell(folder, stack.url, replaced), port


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def events(printed: str) -> list[dict[str, Any]]:
    """Return the lines of a receiver among the output of other programs."""
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(printed, found.start())[0] for found in re.finditer(r'\{"type": "', printed)]


def settle(client: httpx.Client, delivery: str) -> None:
    """Wait until nothing more happens to a delivery."""
    wait_until(lambda: client.get(delivery).json().get("state", "pending") not in _UNDER_WAY, 30, delivery)


def test_every_command_of_the_page_about_webhooks_works(
    stack: LocalStack, client: httpx.Client, tmp_path: Path
) -> None:
    opened, port = shell(stack, tmp_path)
    printed: dict[str, str] = {}
    with opened as bash:
        for block in blocks("docs/webhooks.md"):
            printed[block] = bash.run(block)
            # A reader looks up in between: the receiver listens by then, and what was owed has come.
            if block.rstrip().endswith("RECEIVER=$!"):
                wait_until(lambda: listens(port), 20, "the receiver listens")
            run, endpoint = bash.variable("RUN"), bash.variable("ENDPOINT")
            if run:
                settle(client, f"/api/deliveries/{run}.{endpoint}")

    def of(text: str) -> str:
        """Return the output of the block with this text."""
        (found,) = [output for block, output in printed.items() if text in block]
        return found

    everything = "".join(printed.values())
    assert '"error":' not in everything
    assert "refused" not in everything
    assert of("deliveries show").count("delivered") == 2
    assert "paused" in of("--state paused")
    assert not re.search(r"health\W+degraded", everything)
    told = events(everything)
    assert [event["type"] for event in told].count("webhook.test") == 4
    assert len({event["id"] for event in told if event["type"] == "submission.completed"}) == 2
    assert re.search(r"recovered\W+1\b", of("webhooks recover"))
    assert client.get(f"/api/webhooks/{endpoint}").status_code == httpx.codes.NOT_FOUND


def test_every_command_of_the_page_about_checks_works(stack: LocalStack, client: httpx.Client, tmp_path: Path) -> None:
    opened, _ = shell(stack, tmp_path)
    with opened as bash:
        _, created, state, grouped, heartbeat, _ = [bash.run(block) for block in blocks("docs/checks.md")]
        check = bash.variable("CHECK")
    assert created.count("T02:") == 5
    passed, failed, *_ = state.splitlines()
    assert (passed, failed) == ("totals passed", "totals failed")
    assert re.search(r"^totals +failing ", state, re.MULTILINE)
    assert re.search(r"^refs/heads/main +1 ", grouped, re.MULTILINE)
    assert grouped.count("superseded by the run") == 2
    assert re.search(r"^backup +up ", heartbeat, re.MULTILINE)
    assert "<bdi>Site</bdi>" in (tmp_path / "status.html").read_text()
    assert client.get(f"/api/checks/{check}").status_code == httpx.codes.NOT_FOUND


def test_every_command_of_the_page_about_network_works(stack: LocalStack, tmp_path: Path) -> None:
    opened, target = shell(stack, tmp_path)
    with opened as bash:
        run, projects = (bash.run(block) for block in blocks("docs/network.md"))
    status, evidence = run.strip().splitlines()
    assert status == "200"
    assert evidence.startswith(f"rustbox: host.rustbox.internal:{target} (127.0.0.1): 1 connections, ")
    assert re.findall(r"access=(\w+)", projects) == ["listed", "public", "none"]
    assert "allow=*.example.org:443, api.example.com:443" in projects
    assert "mb_per_day=10240" in projects


def test_every_command_of_the_page_about_secrets_works(stack: LocalStack, tmp_path: Path) -> None:
    opened, target = shell(stack, tmp_path)
    with opened as bash:
        run, commands = (bash.run(block) for block in blocks("docs/secrets.md"))
    assert "you sent Bearer **************" in run
    assert "tok_0123456789" not in run
    assert f"secret demo (host.rustbox.internal): 1 requests, 0 refused, last status {httpx.codes.OK}" in run
    assert f"host.rustbox.internal:{target}" in run
    assert re.search(r"^github +api.github.com:443 +bearer +GET +/repos/acme", commands, re.MULTILINE)
    assert "github deleted" in commands


def test_every_command_of_the_page_about_events_works(stack: LocalStack, client: httpx.Client, tmp_path: Path) -> None:
    opened, port = shell(stack, tmp_path)
    printed: dict[str, str] = {}
    log = tmp_path / "listen.log"
    with opened as bash:
        for block in blocks("docs/events.md"):
            printed[block] = bash.run(block)
            if "LISTENER=$!" in block:
                wait_until(lambda: listens(port), 20, "the receiver listens")
            if "rustbox trigger" in block:
                wait_until(lambda: "(test)" in log.read_text(), 20, "the sample was forwarded")
        run = bash.variable("RUN")
    page = json.loads((tmp_path / "page.json").read_text())
    assert '"error":' not in "".join(printed.values())
    assert [event["type"] for event in events("".join(printed.values()))].count("submission.completed") >= 1
    runs = [item["data"] for item in page["items"] if item["type"] == "submission.completed"]  # checks go on beside it
    assert [run["stdout"] for run in runs] == ["1\n"]
    assert client.get(f"/api/events/{run}").json()["data"]["stdout"] == "42\n"


def test_every_command_of_the_recipes_works(stack: LocalStack, tmp_path: Path) -> None:
    opened, _ = shell(stack, tmp_path)
    with opened as bash:
        _, tool, batch = [bash.run(block) for block in blocks("docs/recipes.md")]
    assert tool.startswith("42\n\nRE\n")
    assert "ZeroDivisionError" in tool
    assert '"error":' not in batch
    outputs = sorted(event["stdout"] for event in events((tmp_path / "results.jsonl").read_text()))
    assert outputs == ["1\n", "4\n", "9\n"]


def test_every_command_of_the_readme_works(stack: LocalStack, tmp_path: Path) -> None:
    opened, _ = shell(stack, tmp_path)
    shown = blocks("README.md")
    printed = {}
    with opened as bash:
        for block in shown:
            if not block.startswith("make "):
                printed[block] = bash.run(block)
    assert len(printed) == len(shown) - 1
    assert '"error":' not in "".join(printed.values())
    (told,) = [events(output) for block, output in printed.items() if "receiver.py" in block]
    assert [event["stdout"] for event in told] == ["[ 1, 4, 9 ]\n"]
    (sample,) = map(json.loads, blocks("README.md", "json"))
    (answer,) = [json.loads(output) for block, output in printed.items() if "view=compact" in block]
    assert list(answer) == list(sample)
    assert answer["metrics"].keys() == sample["metrics"].keys()
    assert (answer["result"], answer["output"]) == (sample["result"], sample["output"])


@pytest.mark.parametrize("page", ["docs/api.md", "docs/cli.md"])
def test_every_command_of_a_guide_works(stack: LocalStack, tmp_path: Path, page: str) -> None:
    opened, _ = shell(stack, tmp_path)
    (tmp_path / "program.py").write_text("print(6 * 7)\n")
    with opened as bash:
        printed = [bash.run(block) for block in blocks(page)]
    assert '"error":' not in "".join(printed)
    assert "42\n" in "".join(printed) or '"stdout":"42\\n"' in "".join(printed)


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("hidden-tests", ["1 of 2 cases passed; score 1 of 2", "failed: test_mean"]),
        ("data-file", ["prices passed", "-1.20 is not above zero", "prices failed"]),
        ("stripe-event", ["passed", "an amount of -1 is not above 0", "failing", '"outcome":"ran"']),
        ("heartbeat", ["backed up 3 files", "failing", "the job ended with exit code 2"]),
        (
            "https-target",
            [
                *("website passed", "website failed", "connection refused", "failing", "check.state.changed"),
                "website is deleted.",
            ],
        ),
    ],
)
def test_every_command_of_an_example_works(
    stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str, expected: list[str]
) -> None:
    copy_example(example, tmp_path, monkeypatch)
    opened, target = shell(stack, tmp_path)
    for name in {"website.py", "checks.yaml"} & {file.name for file in tmp_path.iterdir()}:
        file = tmp_path / name
        file.write_text(file.read_text(encoding="utf-8").replace("4443", str(target)), encoding="utf-8")
    page = f"examples/{example}/README.md"
    with opened as bash:
        printed = [bash.run(block) for block in blocks(page)]
        crontab = (line.partition("  ")[2] for line in blocks(page, "text"))
        printed += [bash.run(line.replace("/srv/backup", str(tmp_path))) for line in crontab]
    for text in expected:
        assert text in "".join(printed)


def test_every_command_of_the_page_about_judging_works(stack: LocalStack, tmp_path: Path) -> None:
    opened, _ = shell(stack, tmp_path)
    with opened as bash:
        printed = [bash.run(block) for block in blocks("docs/judging.md")]
    first, folder, package, grades, verified, numbers, program, interactor, passes, groups, pushed, progress = printed
    assert '"passed": 1' in first
    assert "2 of 2 cases passed; score 2 of 2" in folder
    assert "2 and 1 do not make 1\n1 of 2 cases passed; score 1 of 2\nexit code 1\n" in package
    assert "2 students, 0 unchanged; 1 passed every case\n" in grades
    assert "2 of 2 submissions as expected\n" in verified
    assert "Proposed: 1 s." in verified
    assert "['passed', 'wrong_answer']" in numbers
    assert "['passed', 'wrong_answer']" in program
    assert "['passed', 'passed']" in interactor
    assert "['passed']" in passes
    assert groups.startswith("['passed', 'wrong_answer', 'skipped']\n\"score\":30,\"max_score\":100\n")
    assert "2 cases, 0.0 MiB, 0 files sent\n" in pushed
    assert "1 of 2 cases passed; score 1 of 2\nexit code 1\n['passed', 'passed']\n" in pushed
    assert "pairs deleted\n" in pushed
    assert '"outcome":"passed"' in progress
