"""Metrics and the stop of the intake, over the real port of a working runner."""

import http.client
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # no stubs are installed
from botocore.exceptions import EndpointConnectionError

from tests.adapters.runner_system import TOKEN, Direct, HeldSlot
from tests.runner_doubles import RecordedSlot, outcome, requested
from tests.until import PATIENCE_SECS, until


@pytest.fixture
def system(direct: Direct) -> Direct:
    return direct


def _ask(system: Direct, method: str, path: str, **headers: str) -> tuple[int, str]:
    client = http.client.HTTPConnection("127.0.0.1", system.port, timeout=PATIENCE_SECS)
    client.request(method, path, b"" if method == "POST" else None, headers)
    response = client.getresponse()
    found = response.status, response.read().decode()
    client.close()
    return found


def _metrics(system: Direct) -> list[str]:
    status, page = _ask(system, "GET", "/metrics")
    assert status == 200
    return page.splitlines()


def _hold(system: Direct) -> None:
    assert _ask(system, "POST", "/v1/drain", Authorization=f"Bearer {TOKEN}")[0] == 202


def test_runs_of_both_paths_are_counted_and_nothing_of_a_tenant_is_shown(system: Direct) -> None:
    system.start(lambda: RecordedSlot(outcome(stdout=b"hidden-output")), slots=2)
    direct = requested(project_id="hidden-project")
    assert system.ask(direct)[0] == 200
    system.completion(system.request(project_id="hidden-project"))
    until(lambda: 'rustbox_runs_total{language="python",verdict="AC"} 2' in _metrics(system))
    page = _metrics(system)
    assert 'rustbox_phase_seconds_count{phase="queue"} 2' in page
    assert "rustbox_slots 2" in page
    assert "rustbox_draining 0" in page
    assert 'rustbox_runner_info{version="0.1.0",isolation="strict",c="gcc 1"} 1' in page
    for hidden in ("hidden", direct.submission_id, direct.execution_id):
        assert hidden not in "\n".join(page)


def test_alert_rules_use_metrics_that_the_runner_has_and_tell_a_command(system: Direct) -> None:
    system.start(RecordedSlot)
    page = "\n".join(_metrics(system))
    (group,) = yaml.safe_load((Path(__file__).parents[3] / "infra/runner/alerts.yaml").read_text())["groups"]
    assert len(group["rules"]) >= 5
    for rule in group["rules"]:
        assert rule["annotations"]["command"]
        for name in re.findall(r"rustbox_\w+", rule["expr"]):
            assert f"# TYPE {name.removesuffix('_bucket')} " in page


def test_failed_receives_are_counted_by_queue(system: Direct) -> None:
    class Unreachable:
        def receive_message(self, **_params: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://sqs")

    system.wrap = lambda clients: replace(clients, receiving=Unreachable())  # type: ignore[arg-type]  # as far as used
    system.start(RecordedSlot, slots=2)
    until(lambda: [line for line in _metrics(system) if line.startswith("rustbox_receive_errors_total{")])


def test_a_held_runner_ends_its_runs_takes_no_more_and_stays_until_it_is_drained(system: Direct) -> None:
    slot = HeldSlot()
    system.start(lambda: slot, slots=1)
    running = system.request()
    assert slot.begun.wait(PATIENCE_SECS)
    assert "rustbox_slots_busy 1" in _metrics(system)
    _hold(system)
    until(lambda: "rustbox_draining 1" in _metrics(system))
    assert _ask(system, "GET", "/healthz")[0] == 503
    slot.may_end.set()
    system.completion(running)
    later = system.request()
    assert system.ask(requested())[0] == 503
    assert system._thread is not None
    system._thread.join(1)
    assert system._thread.is_alive()
    assert system.counts()[0] == 1
    _hold(system)  # repeating it is safe
    assert "rustbox_draining 1" in _metrics(system)
    assert later.submission_id not in {
        message.get("submission_id") for message in system.of_type("execution_completed")
    }
