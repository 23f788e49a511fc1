"""Genuine calls of every scheme: which run the check, what the program gets, and the log of calls."""

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from functions.aws.payloads import Payloads
from functions.checks.calls.log import KEPT_SECS, MOST_A_MINUTE, SHOWN
from functions.checks.runs.store import RunStore
from functions.files.store import FileStore
from functions.files.use import StoredFiles
from functions.submissions.accept.program_fields import ENV_MAX_BYTES
from tests.adapters.aws_account import PROJECT_ID
from tests.adapters.checks.check_world import CheckWorld
from tests.adapters.checks.inbound_senders import SENDERS, Headers, Sender
from tests.adapters.http_calls import Answer, call, event

GITHUB = SENDERS["github"]


class Caller:
    """A check and one sender of its calls."""

    def __init__(self, world: CheckWorld, sender: Sender = GITHUB, **settings: Any) -> None:
        self.world, self.sender = world, sender
        self.check = world.create(name="called", **settings)
        answer = world.call("POST", f"/api/checks/{self.check['id']}/secret", sender.request)
        assert answer.status == 200, answer.json
        self.secret: str = answer.json["secret"]

    def send(self, body: str | bytes, call_id: str = "call-1", **headers: str) -> Answer:
        self.world.time.advance(1)  # so that the log has an order
        if isinstance(body, str):
            signed = self.sender.sign(self.secret, body, self.world.time.ms // 1000, call_id)
        else:
            signed = self._bytes(body, call_id)
        return self.post({**signed, **{name.replace("_", "-"): value for name, value in headers.items()}}, body)

    def post(self, headers: Headers, body: str | bytes) -> Answer:
        return call(event("POST", f"/api/checks/{self.check['id']}/events", headers=headers, body=body))

    def push(self, call_id: str = "call-1", **fields: Any) -> Answer:
        return self.send(json.dumps({"ref": "refs/heads/main", **fields}), call_id)

    @property
    def log(self) -> list[Any]:
        items: list[Any] = self.world.call("GET", f"/api/checks/{self.check['id']}/calls").json["items"]
        return items

    def message(self) -> Any:
        """The message of the only run that was submitted."""
        self.world.hints()
        (message,) = self.world.aws.messages("BatchQueue")
        return message

    def stdin(self) -> bytes:
        """What the program of the only run reads."""
        message = self.message()
        if message.get("input_key") is None:
            return base64.b64decode(message["stdin_base64"])
        return self.world.env[Payloads].get_input(message["submission_id"])[1]

    def _bytes(self, body: bytes, call_id: str) -> Headers:
        digest = hmac.digest(self.secret.encode(), body, hashlib.sha256).hex()
        return {"x-hub-signature-256": f"sha256={digest}", "x-github-delivery": call_id, "x-github-event": "push"}


@pytest.mark.parametrize("name", SENDERS)
def test_a_signed_call_runs_the_check_once_with_the_bytes_that_came(world: CheckWorld, name: str) -> None:
    sender = SENDERS[name]
    caller, body = Caller(world, sender, event_as="stdin"), sender.body("call-1")
    answers = [caller.send(body) for _ in range(3)]
    assert {(answer.status, answer.json["id"]) for answer in answers} == {(202, answers[0].json["id"])}
    message = caller.message()
    assert base64.b64decode(message["stdin_base64"]) == body.encode()
    assert message["environment"].keys() == {"RUSTBOX_EVENT_ID", "RUSTBOX_EVENT_TYPE"}
    assert message["environment"]["RUSTBOX_EVENT_TYPE"] == "push"
    assert [each["outcome"] for each in caller.log] == ["repeated", "repeated", "ran"]
    assert {each["run_id"] for each in caller.log} == {answers[0].json["id"]}
    assert {each["event_id"] for each in caller.log} == {message["environment"]["RUSTBOX_EVENT_ID"]}
    assert answers[0].json["reason"].startswith("signed call push ")


def test_a_call_is_known_for_24_hours_and_then_runs_again(world: CheckWorld) -> None:
    caller = Caller(world)
    first = caller.push()
    world.time.advance(86_390)
    assert caller.push().json["id"] == first.json["id"]
    world.time.advance(20)
    assert caller.push().json["id"] != first.json["id"]  # GitHub signs no time


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded", "payload=%7B%22ref%22%3A1%7D&x=é"),
        ("application/xml", "<?xml version='1.0'?><a>ü</a>"),
        ("text/plain", "build 1042 is done\n"),
        ("application/json", "[1, 2]"),
        ("application/json", '{"a": 1, "a": NaN}'),
        ("application/octet-stream", b"\x00\xff\xfe not UTF-8"),
        ("", "no type"),
        ("text/plain", ""),
    ],
)
def test_a_body_of_any_kind_is_the_input(world: CheckWorld, content_type: str, body: str | bytes) -> None:
    caller = Caller(world)
    assert caller.send(body, content_type=content_type).status == 202
    assert caller.stdin() == (body if isinstance(body, bytes) else body.encode())


@pytest.mark.parametrize("size_bytes", [65_536, 65_537, 262_144])
def test_a_large_body_comes_through_the_bucket(world: CheckWorld, size_bytes: int) -> None:
    caller = Caller(world)
    assert caller.send("x" * size_bytes).status == 202
    (run,) = world.rows(caller.check)
    assert run.call is not None
    assert (run.call.body_key is not None) == (size_bytes > 65_536)
    assert caller.stdin() == b"x" * size_bytes
    world.send_again()
    world.run_programs()
    world.hints()
    (run,) = world.rows(caller.check)
    assert (run.status, run.call and (run.call.body, run.call.body_key)) == ("passed", (None, None))


@pytest.mark.parametrize("body", ["x" * 262_145, b"\xff" * 262_145, "x" * 1_000_000])
def test_a_body_beyond_the_limit_is_413_and_in_the_log_genuine_or_not(world: CheckWorld, body: str | bytes) -> None:
    caller = Caller(world)
    answers = [caller.send(body), caller.post({}, body)]
    assert [(answer.status, answer.json["error"]) for answer in answers] == [(413, "too_large")] * 2
    assert answers[0].raw == answers[1].raw
    assert [each["reason"] for each in caller.log] == ["The body is larger than 262,144 bytes."] * 2
    assert world.runs(caller.check) == []


def test_a_body_that_is_too_large_by_its_length_is_413_before_it_is_read(world: CheckWorld) -> None:
    caller = Caller(world)
    assert caller.post({"content-length": "262145"}, "").status == 413
    assert caller.post({"content-length": "9" * 5_000}, "").status == 401
    assert {each["outcome"] for each in caller.log} == {"refused"}


def test_a_body_that_left_the_bucket_ends_the_run_with_its_reason(world: CheckWorld) -> None:
    caller = Caller(world)
    caller.send("x" * 70_000)
    (run,) = world.rows(caller.check)
    world.env[Payloads].delete_all([f"events/{run.run_id}"])
    world.hints()
    (run,) = world.rows(caller.check)
    assert (run.status, run.reason) == ("error", "the body of the call is gone: RetentionDays are over")


def test_events_select_types_and_match_selects_values(world: CheckWorld) -> None:
    caller = Caller(world, events=["push", "pull_request"], match={"$.ref": "refs/heads/main", "$.n": 1, "$.b": False})
    right = {"n": 1.0, "b": False}
    wrong = [
        caller.push("c1", n=1),
        caller.push("c2", n=True, b=False),
        caller.push("c3", **right | {"ref": "refs/heads/work"}),
        caller.send("ref=refs/heads/main", "c4"),
        caller.send(json.dumps({"ref": "refs/heads/main", **right}), "c5", x_github_event="pushed"),
        caller.send("{}", "c6", x_github_event="star"),
    ]
    assert [(answer.status, answer.json["status"]) for answer in wrong] == [(202, "ignored")] * 6
    assert wrong[0].json["reason"] == "$.b has another value than in match"
    assert wrong[5].json["reason"] == "star is not among events"
    assert world.runs(caller.check) == []
    assert [each["outcome"] for each in caller.log] == ["ignored"] * 6
    assert caller.push("c7", **right).json["status"] == "queued"
    action = json.dumps({"action": "opened", "ref": "refs/heads/main", **right})
    assert caller.send(action, "c8", x_github_event="pull_request").json["status"] == "queued"
    world.hints()
    types = {message["environment"]["RUSTBOX_EVENT_TYPE"] for message in world.aws.messages("BatchQueue")}
    assert types == {"push", "pull_request.opened"}


def test_a_call_that_was_ignored_runs_once_the_check_selects_it(world: CheckWorld) -> None:
    caller = Caller(world, events=["release"])
    assert caller.push().json["status"] == "ignored"
    changed = world.call("PATCH", f"/api/checks/{caller.check['id']}", {"events": ["push"]})
    assert changed.json["events"] == ["push"]
    assert caller.push().json["status"] == "queued"


@pytest.mark.parametrize("size_bytes", [0, 8_192, 8_193, 65_537, 262_144])
def test_a_call_that_ran_runs_again_with_its_body(world: CheckWorld, size_bytes: int) -> None:
    caller = Caller(world)
    body, payloads = "x" * size_bytes, world.env[Payloads]
    assert caller.send(body).status == 202
    world.hints()
    (first,) = world.aws.messages("BatchQueue")
    world.send_again()
    world.run_programs()
    world.hints()
    world.time.advance(7 * 86_400 - 60)
    (logged,) = caller.log
    assert "body" not in logged
    answer = world.call("POST", f"/api/checks/{caller.check['id']}/calls/{logged['id']}/run")
    assert (answer.status, answer.json["reason"]) == (202, "signed call push call-1, again")
    world.hints()
    again = next(m for m in world.aws.messages("BatchQueue") if m["submission_id"] != first["submission_id"])
    key = again.get("input_key")
    stdin = payloads.get_input(again["submission_id"])[1] if key else base64.b64decode(again["stdin_base64"])
    assert stdin == body.encode()
    assert again["environment"] == first["environment"]


@pytest.mark.parametrize("name", SENDERS)
def test_a_call_of_each_scheme_runs_again_as_it_ran(world: CheckWorld, name: str) -> None:
    caller = Caller(world, SENDERS[name])
    assert caller.send(SENDERS[name].body("call-1")).status == 202
    world.hints()
    assert world.call("POST", f"/api/checks/{caller.check['id']}/calls/{caller.log[0]['id']}/run").status == 202
    world.hints()
    first, again = world.aws.messages("BatchQueue")
    assert (again["stdin_base64"], again["environment"]) == (first["stdin_base64"], first["environment"])


@pytest.mark.parametrize("size_bytes", [0, 9_000, 262_144])
def test_an_ignored_call_runs_within_a_week_and_counts_as_a_file_until_then(world: CheckWorld, size_bytes: int) -> None:
    caller, body, files = Caller(world, events=["release"]), "x" * size_bytes, world.env[FileStore]
    assert caller.send(body).json["status"] == "ignored"
    path = f"/api/checks/{caller.check['id']}/calls/{caller.log[0]['id']}/run"
    assert files.usage(PROJECT_ID) == (size_bytes, 1)
    world.time.advance(7 * 86_400 - 60)
    assert sweep_files(world) == 0
    assert world.call("POST", path).json["reason"] == "signed call push call-1, again"
    assert caller.stdin() == body.encode()
    world.time.advance(120)
    assert sweep_files(world) == 1
    assert files.usage(PROJECT_ID) == (0, 0)
    assert world.call("POST", path).status == 404


def sweep_files(world: CheckWorld) -> int:
    """Do what the sweeper does with files."""
    due = world.env[FileStore].due(world.time.ms, 100)
    for entry in due:
        StoredFiles(world.env).sweep(entry)
    return len(due)


def test_bodies_of_ignored_calls_leave_half_of_the_room_to_files(world: CheckWorld) -> None:
    world.set_files_mb(1)
    caller = Caller(world, events=["release"])
    for number in range(4):
        assert caller.send("x" * 200_000, f"call-{number}").status == 202
    paths = [f"/api/checks/{caller.check['id']}/calls/{each['id']}/run" for each in caller.log]
    assert [world.call("POST", path).status for path in paths] == [404, 404, 202, 202]
    assert world.env[FileStore].usage(PROJECT_ID) == (400_000, 2)


def test_a_flood_of_ignored_calls_keeps_few_bodies(world: CheckWorld) -> None:
    caller = Caller(world, events=["release"])
    for number in range(30):
        signed = caller.sender.sign(caller.secret, "{}", world.time.ms // 1000, f"call-{number}")
        assert caller.post(signed, "{}").status == 202
    assert world.env[FileStore].usage(PROJECT_ID)[1] == MOST_A_MINUTE


def test_only_a_genuine_call_whose_body_is_there_runs_again(world: CheckWorld) -> None:
    caller = Caller(world, events=["push"])
    caller.post({}, "{}")
    caller.send("x" * 9_000, "call-2")
    logged = [each["id"] for each in caller.log]
    path = f"/api/checks/{caller.check['id']}/calls"
    unknown = ("x", "2026-11-24T12_00_00.000Z~00000000", "%23", "9" * 2_000)
    answers = [world.call("POST", f"{path}/{call_id}/run") for call_id in (*logged, *unknown)]
    assert [answer.status for answer in answers] == [404] * 6  # the run of the last one has not begun
    world.hints()
    (message,) = world.aws.messages("BatchQueue")
    again = f"{path}/{caller.log[0]['id']}/run"
    world.env[Payloads].delete_all([f"inputs/{message['submission_id']}"])
    assert world.call("POST", again).status == 404
    other = world.create(name="another")
    assert world.call("POST", again.replace(caller.check["id"], other["id"])).status == 404
    assert len(world.runs(caller.check)) == 1


def test_calls_that_run_again_count_among_the_requests_of_an_hour(world: CheckWorld) -> None:
    caller = Caller(world)
    world.allow_requests(2)
    caller.push()
    path = f"/api/checks/{caller.check['id']}/calls/{caller.log[0]['id']}/run"
    assert [world.call("POST", path).status for _ in range(2)] == [202, 429]


def test_the_log_of_a_deleted_check_is_deleted(world: CheckWorld) -> None:
    caller = Caller(world)
    caller.push()
    world.call("DELETE", f"/api/checks/{caller.check['id']}")
    while world.env[RunStore].delete_some(PROJECT_ID, caller.check["id"]):
        pass
    left = {item["pk"]["S"].partition("#")[0] for item in world.aws.items("ChecksTable")}
    assert not left & {"CALLS", "RUNS"}


def test_slack_gets_its_challenge_and_nothing_runs(world: CheckWorld) -> None:
    caller = Caller(world, SENDERS["slack"])
    body = json.dumps(
        {"type": "url_verification", "token": "x", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P"}
    )
    answer = caller.send(body)
    assert (answer.status, answer.json) == (200, {"challenge": json.loads(body)["challenge"]})
    assert caller.post({}, body).status == 401
    assert world.runs(caller.check) == []
    outcomes = [(each["outcome"], each["reason"]) for each in caller.log]
    assert ("ignored", "url_verification was answered") in outcomes


FORM = {"content_type": "application/x-www-form-urlencoded"}
SLASH = "token=x&command=%2Fdeploy&text=api+%26+web+%C3%BC&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1&"
BUTTON = {"type": "block_actions", "user": {"id": "U1"}, "actions": [{"value": "ü & +"}]}


def test_a_slash_command_of_slack_gives_the_program_its_fields(world: CheckWorld) -> None:
    """https://docs.slack.dev/interactivity/implementing-slash-commands."""
    caller = Caller(world, SENDERS["slack"], events=["/deploy"], match={"$.text": "api & web ü"})
    for other in ("command=%2Fdeploy&text=db", "command=%2Fother&text=api+%26+web+%C3%BC"):
        ignored = caller.send(other, **FORM)
        assert (ignored.status, ignored.raw) == (200, b"")
    for _ in range(2):
        answer = caller.send(SLASH + "channel_name=", **FORM)
        assert (answer.status, answer.raw) == (200, b"")  # what it answers, Slack shows to the user
    world.time.advance(1)
    assert caller.post({"content-type": FORM["content_type"]}, SLASH).status == 401
    fields = {"token": "x", "command": "/deploy", "text": "api & web ü", "channel_name": ""}
    message = caller.message()
    url = "https://hooks.slack.com/commands/T1"
    assert json.loads(base64.b64decode(message["stdin_base64"])) == {**fields, "response_url": url}
    assert message["environment"]["RUSTBOX_EVENT_TYPE"] == "/deploy"
    assert [each["outcome"] for each in caller.log] == ["refused", "repeated", "ran", "ignored", "ignored"]


def test_an_interaction_of_slack_gives_the_program_its_payload(world: CheckWorld) -> None:
    """https://docs.slack.dev/interactivity/handling-user-interaction."""
    caller = Caller(world, SENDERS["slack"], events=["block_actions"], match={"$.user.id": "U1"})
    assert caller.send(urlencode({"payload": json.dumps(BUTTON)}), **FORM).status == 200
    assert json.loads(caller.stdin()) == BUTTON


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("payload=%7B&a=b", 200),
        ("", 200),
        ("no form", 200),
        (b"\xff=1", 202),  # as it came
        ("&".join(["a=1"] * 101), 202),
        ("a=" + "%00" * 80_000, 413),  # longer in JSON
    ],
)
def test_a_form_that_slack_would_not_send_does_no_harm(world: CheckWorld, body: str | bytes, status: int) -> None:
    caller = Caller(world, SENDERS["slack"])
    raw, secs = body.encode() if isinstance(body, str) else body, str(world.time.ms // 1000)
    digest = hmac.digest(caller.secret.encode(), f"v0:{secs}:".encode() + raw, hashlib.sha256).hex()
    headers = {"x-slack-request-timestamp": secs, "x-slack-signature": f"v0={digest}"}
    assert caller.post({**headers, "content-type": FORM["content_type"]}, raw).status == status
    assert [each["outcome"] for each in caller.log] == ["refused" if status == 413 else "ran"]
    assert status != 202 or caller.stdin() == raw


def test_stripe_may_sign_with_two_secrets_while_one_is_rolled(world: CheckWorld) -> None:
    caller = Caller(world, SENDERS["stripe"])
    body, now = caller.sender.body("evt_1"), world.time.ms // 1000
    signature = caller.sender.sign(caller.secret, body, now, "")["stripe-signature"].partition(",")[2]
    other = f"v1={'0' * 64}"
    assert caller.post({"stripe-signature": f"t={now},{other},{signature},v0=x"}, body).status == 202
    assert caller.post({"stripe-signature": f"t={now},{other}"}, body).status == 401


@pytest.mark.parametrize(
    ("request_", "field", "text"),
    [
        ({"verify": "gitea"}, "verify", "Must be one of standard, github, gitlab, stripe, slack or hmac."),
        ({"verify": "stripe"}, "secret", "Required with stripe: whsec_ with letters and digits"),
        ({"verify": "slack"}, "secret", "Required with slack: 32 lower-case letters and digits"),
        ({"verify": "stripe", "secret": "sk_live_1234567890123456"}, "secret", "whsec_ with letters"),
        ({"verify": "slack", "secret": "xoxb-123"}, "secret", "32 lower-case letters and digits"),
        ({"verify": "github", "secret": "short"}, "secret", "16 to 256 printable ASCII characters"),
        ({"verify": "gitlab", "secret": "with a space and more"}, "secret", "without spaces"),
        ({"verify": "standard", "secret": "whsec_short"}, "secret", "24 to 64 bytes in base64"),
        ({"verify": "standard", "secret": "x" * 40}, "secret", "whsec_"),
        ({"verify": "hmac"}, "header", "Required with hmac"),
        ({"verify": "hmac", "header": "X Sig"}, "header", "Must match"),
        ({"verify": "hmac", "header": "X-Sig", "encoding": "base32"}, "encoding", "Must be one of hex or base64."),
        ({"verify": "github", "header": "X-Sig"}, "header", "Only with hmac."),
        ({"verify": "github", "secrets": "x"}, "secrets", "Did you mean secret?"),
    ],
)
def test_a_wrong_verification_says_what_is_right_and_quotes_no_secret(
    world: CheckWorld, request_: dict[str, Any], field: str, text: str
) -> None:
    check = world.create(name="called")
    answer = world.call("POST", f"/api/checks/{check['id']}/secret", request_)
    assert answer.status == 422, answer.json
    problems = {problem["field"]: problem["message"] for problem in answer.json["fields"]}
    assert text in problems[field]
    assert "secret" not in request_ or request_["secret"] not in answer.raw.decode()


def test_a_new_scheme_ends_the_one_before_and_the_secret_is_shown_once(world: CheckWorld) -> None:
    caller = Caller(world)
    path = f"/api/checks/{caller.check['id']}"
    made = world.call("POST", f"{path}/secret", {"verify": "hmac", "header": "X-Sig", "id_header": "X-Id"}).json
    assert made["verification"]["header"] == "x-sig"
    assert caller.push().status == 401
    shown = world.call("GET", f"{path}/calls").json
    assert shown["verification"] == made["verification"]
    assert made["secret"] not in json.dumps(shown) + repr(world.aws.items("ChecksTable"))


def test_a_heartbeat_has_no_program_that_a_call_could_run(world: CheckWorld) -> None:
    body = {"name": "job", "kind": "heartbeat", "schedule": "rate(1 hour)"}
    check = world.call("POST", "/api/checks", body).json
    answer = world.call("POST", f"/api/checks/{check['id']}/secret", {"verify": "github"})
    assert (answer.status, answer.json["error"]) == (409, "conflict")
    refused = world.call("POST", "/api/checks", {**body, "name": "other", "events": ["push"]})
    assert (refused.status, refused.json["fields"][0]["field"]) == (422, "events")


def test_a_check_without_a_secret_shows_no_scheme_and_no_calls(world: CheckWorld) -> None:
    check = world.create(name="called")
    shown = world.call("GET", f"/api/checks/{check['id']}/calls").json
    assert shown == {"url": f"/api/checks/{check['id']}/events", "verification": None, "items": []}


def test_a_flood_of_forged_calls_costs_few_writes_and_hides_no_genuine_call(world: CheckWorld) -> None:
    caller = Caller(world)
    caller.push()
    before = len(world.aws.items("ChecksTable"))
    for _ in range(200):
        assert caller.post({"x-hub-signature-256": "sha256=00"}, "{}").status == 401
    assert len(world.aws.items("ChecksTable")) - before == MOST_A_MINUTE
    for _ in range(5):
        world.time.advance(61)
        for _ in range(20):
            caller.post({"x-hub-signature-256": "sha256=00"}, "{}")
    outcomes = [each["outcome"] for each in caller.log]
    assert (outcomes.count("refused"), outcomes.count("ran")) == (SHOWN, 1)


def test_calls_leave_the_log_after_a_week(world: CheckWorld) -> None:
    caller = Caller(world)
    caller.push()
    (row,) = [item for item in world.aws.items("ChecksTable") if item["pk"]["S"].startswith("CALLS#")]
    assert int(row["ttl"]["N"]) - world.time.ms // 1000 == KEPT_SECS


def test_a_genuine_call_that_cannot_run_is_in_the_log_with_its_reason(world: CheckWorld) -> None:
    caller = Caller(world, SENDERS["standard"])
    assert caller.send("[1]").status == 422
    assert caller.send(json.dumps({"text": "x" * 1_400})).status == 422
    world.allow_requests(1)
    assert [caller.send("{}", call_id).status for call_id in ("call-2", "call-3")] == [202, 429]
    assert [each["outcome"] for each in caller.log] == ["refused", "ran", "refused", "refused"]
    assert caller.log[0]["event_id"] == "call-3"
    assert "set event_as to stdin" in caller.log[2]["reason"]


def test_data_id_and_type_fit_together_beside_the_most_variables(world: CheckWorld) -> None:
    name_bytes = len('{"variables":{"A":""},"secret_names":["A"]}')
    caller = Caller(world, SENDERS["standard"], env={"A": "x" * (ENV_MAX_BYTES - name_bytes)})
    longest = next(
        count
        for count in range(1_400, 1_000, -1)
        if caller.send(json.dumps({"t": "x" * count}), "i" * 40).status == 202
    )
    message = caller.message()
    assert longest > 1_300
    assert len(json.loads(message["environment"]["RUSTBOX_EVENT"])["t"]) == longest


def test_the_secret_of_an_older_version_is_one_of_standard(world: CheckWorld) -> None:
    caller = Caller(world, SENDERS["standard"])
    client, table = world.aws.client("dynamodb"), world.aws.names["ChecksTable"]
    (row,) = [item for item in world.aws.items("ChecksTable") if item["pk"]["S"].startswith("HOOK#")]
    del row["verification"]
    client.put_item(TableName=table, Item=row)
    assert caller.send("{}").status == 202
