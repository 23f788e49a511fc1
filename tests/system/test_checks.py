"""A check on the running stack turns failing and up again, and both webhooks verify as a customer verifies them."""

import json
import subprocess
import time
from typing import Any

import httpx
import pytest
from healthchecks_wrapper import HealthCheck
from standardwebhooks.webhooks import Webhook

from tests.system.local_stack import LocalStack, wait_until
from tests.system.webhook_inbox import open_inbox

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_a_check_turns_failing_and_up_again_with_two_verified_webhooks(client: httpx.Client) -> None:
    program = "import os\nprint(os.environ['WORD'], os.environ.get('RUSTBOX_EVENT', ''))\n"
    with open_inbox() as inbox:
        subscription = {"url": inbox.url, "events": ["check.state.changed"], "secret": SECRET}
        endpoint = client.post("/api/webhooks", json=subscription).json()["id"]
        body: dict[str, Any] = {
            "name": "turns",
            "language": "python",
            "code": program,
            "env": {"WORD": "fortytwo"},
            "assertions": [{"type": "stdout", "contains": "****"}],
        }
        path = f"/api/checks/{client.post('/api/checks', json=body).json()['id']}"

        def run_until(state: str) -> None:
            assert client.post(f"{path}/run", json={"event": {"build": 1042}}).status_code == httpx.codes.ACCEPTED
            wait_until(lambda: client.get(path).json()["state"] == state, 100, f"the check is {state}")

        run_until("up")
        run = client.get(f"{path}/runs").json()["items"][0]
        shown = client.get(f"/api/result/{run['submission_id']}").json()["output"]["stdout"]
        assert shown == '**** {"build":1042}\n'  # the secret is masked, the event is not
        client.patch(path, json={"code": "print('broken')"})
        run_until("failing")
        client.patch(path, json={"code": program})
        run_until("up")
        wait_until(lambda: len(inbox.all()) == 2, 100, "two alerts came")
        failing, up = sorted(
            (Webhook(SECRET).verify(each.body, each.headers) for each in inbox.all()),
            key=lambda event: event["timestamp"],
        )
        client.delete(f"/api/webhooks/{endpoint}")
        client.delete(path)
    assert [(event["previous_state"], event["state"]) for event in (failing, up)] == [
        ("up", "failing"),
        ("failing", "up"),
    ]
    assert failing["failed"][0]["actual"] == "broken\n"
    assert "+broken" in failing["difference"]
    assert up["outage_secs"] >= 0


# It waits a minute. tests/adapters/checks/test_heartbeats.py has the states without waiting.
@pytest.mark.whole
@pytest.mark.timeout(300)
def test_a_heartbeat_from_curl_goes_missing_and_comes_back(client: httpx.Client) -> None:
    body = {"kind": "heartbeat", "name": "job", "schedule": "rate(1 day)", "grace_minutes": 1}
    with open_inbox() as inbox:
        events = ["check.state.changed", "check.run.missed"]
        endpoint = client.post("/api/webhooks", json={"url": inbox.url, "events": events, "secret": SECRET}).json()[
            "id"
        ]
        path = f"/api/checks/{client.post('/api/checks', json=body).json()['id']}"
        url = f"{client.base_url}".rstrip("/") + client.post(f"{path}/ping-url").json()["url"]

        def curl(word: str) -> str:
            command = ("curl", "-fsS", "-m", "10", "--retry", "3", f"{url}{word}")
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout

        assert (curl(""), client.get(path).json()["state"]) == ("OK", "up")
        assert curl("/start") == "OK"  # and the job dies: its end is due within the grace
        wait_until(lambda: client.get(path).json()["state"] == "late", 200, "the heartbeat is late")
        assert (curl("/0"), client.get(path).json()["state"]) == ("OK", "up")
        wait_until(lambda: len(inbox.all()) == 3, 100, "missed, late and up came")
        bodies = [Webhook(SECRET).verify(each.body, each.headers) for each in inbox.all()]
        client.delete(f"/api/webhooks/{endpoint}")
        client.delete(path)
    changed = sorted((each for each in bodies if "state" in each), key=lambda each: each["timestamp"])
    assert [(each["previous_state"], each["state"]) for each in changed] == [("up", "late"), ("late", "up")]
    assert changed[1]["outage_secs"] >= 0


def test_a_published_client_of_healthchecks_reports_to_a_heartbeat(client: httpx.Client) -> None:
    body = {"kind": "heartbeat", "name": "wrapped", "schedule": "rate(1 day)"}
    path = f"/api/checks/{client.post('/api/checks', json=body).json()['id']}"
    url = f"{client.base_url}".rstrip("/") + client.post(f"{path}/ping-url").json()["url"]
    with pytest.raises(ZeroDivisionError), HealthCheck(url):
        _ = 1 / 0
    run = client.get(f"{path}/runs").json()["items"][0]
    assert (client.get(path).json()["state"], run["wall_time_secs"] >= 0) == ("failing", True)
    assert "ZeroDivisionError: division by zero" in client.get(run["body_url"]).text
    with HealthCheck(url):
        pass
    assert client.get(path).json()["state"] == "up"
    client.delete(path)


def test_an_event_on_the_bus_runs_a_check(stack: LocalStack, client: httpx.Client) -> None:
    program = {"name": "requested", "language": "python", "code": "print(input())", "event_as": "stdin"}
    check = client.post("/api/checks", json=program).json()["id"]
    detail = {"project_id": "dev", "slug": "requested", "event": {"version": "1.4.2"}}
    entry = {"Source": "deploy", "DetailType": "check.requested", "Detail": json.dumps(detail)}
    answer = stack.aws("events").put_events(Entries=[{**entry, "EventBusName": "rustbox-local-EventBus"}])
    assert answer["FailedEntryCount"] == 0
    wait_until(lambda: client.get(f"/api/checks/{check}").json()["state"] == "up", 100, "the event ran the check")
    (run,) = client.get(f"/api/checks/{check}/runs").json()["items"]
    assert client.get(f"/api/result/{run['submission_id']}").json()["output"]["stdout"] == '{"version":"1.4.2"}\n'
    client.delete(f"/api/checks/{check}")


def test_a_submission_starts_a_check_and_its_run_another(client: httpx.Client) -> None:
    program = {"language": "python", "code": "print(input())", "event_as": "stdin"}
    on_submission = {"type": "submission", "metadata": {"suite": "system"}}
    first, second = (
        client.post("/api/checks", json={**program, "name": name, "trigger": trigger}).json()["id"]
        for name, trigger in (("first", on_submission), ("second", {"type": "check", "slug": "first"}))
    )
    body = {"language": "python", "code": "print(1)", "metadata": {"suite": "system"}}

    def submit_until_started() -> bool:  # a trigger applies after 15 s
        assert client.post("/api/submit", json=body, params={"wait": "true"}).status_code == httpx.codes.OK
        time.sleep(2)
        state: str = client.get(f"/api/checks/{second}").json()["state"]
        return state == "up"

    wait_until(submit_until_started, 100, "both checks ran")
    run = client.get(f"/api/checks/{second}/runs").json()["items"][-1]
    event = json.loads(client.get(f"/api/result/{run['submission_id']}").json()["output"]["stdout"])
    assert (event["check_slug"], event["status"]) == ("first", "passed")
    for check in (second, first):
        assert client.delete(f"/api/checks/{check}").status_code == httpx.codes.OK
