"""Parts of the deployment that need no account: parameters, costs, limits, files."""

import copy
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from cfnlint.api import lint

from functions.aws import clients
from infra.deploy import __main__ as deploy
from infra.deploy import deploy as deploy_module
from infra.deploy import emulator, smoke_test
from infra.deploy.account_checks import (
    LONGEST_WAIT_SECS,
    SHORT_WAIT_SECS,
    SWEEPER,
    UNRESERVED_MINIMUM,
    check_runner_url,
    concurrency_parameters,
    describe_concurrency,
    longest_wait_secs,
)
from infra.deploy.api import Api
from infra.deploy.building import ROOT
from infra.deploy.costs import (
    DEFAULT,
    DEFAULT_MEMORY_MB,
    DOLLARS,
    EARLIER,
    FULL_CPU_MB,
    MEMORY_MB,
    POLLED,
    RUNS,
    SYNCHRONOUS,
    WEBHOOK,
    Choices,
    dollars_a_month,
    dollars_per_million,
    prices,
)
from infra.deploy.deploy import Deployment
from infra.deploy.smoke_test import RECEIVER_CODE, receiver_template, runner_settings, write_runner_env
from infra.deploy.stack import retained
from infra.deploy.target import DeployError, Progress, Target, read_target
from infra.sam_template import read, translate

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATE = ROOT / "template.yaml"
OUTPUTS = {
    "InteractiveQueueUrl": "https://sqs/i",
    "BatchQueueUrl": "https://sqs/b",
    "NetworkQueueUrl": "https://sqs/n",
    "CompletionsQueueUrl": "https://sqs/c",
    "PayloadsBucketName": "payloads",
    "SubmissionVisibilitySecs": "90",
}


@pytest.mark.parametrize("unreserved", [10, 99, 109, 110, 259, 260, 400, 1000])
def test_reservations_leave_the_unreserved_minimum_and_enough_for_the_pipeline(unreserved: int) -> None:
    parameters = concurrency_parameters(unreserved)
    waiting = int(parameters["WaitingConcurrency"])
    reserved = 4 * waiting + (SWEEPER if parameters["ReserveConcurrency"] == "true" else 0)
    assert reserved == 0 or unreserved - reserved >= UNRESERVED_MINIMUM
    assert (parameters["ReserveConcurrency"] == "true") == (unreserved >= 110)
    assert (waiting > 0) == (unreserved >= 260)


def test_waiting_clients_of_an_account_with_the_usual_quota_leave_the_pipeline_its_invocations() -> None:
    template = read(TEMPLATE)
    parameters = concurrency_parameters(1000)
    senders = template["Parameters"]["WebhookSenders"]["Default"]
    hints = template["Resources"]["ScheduleFunctionHints"]["Properties"]
    checks = hints["ScalingConfig"]["MaximumConcurrency"]
    left = 1000 - 5 * int(parameters["WaitingConcurrency"]) - SWEEPER
    # `deliver` and `schedule` at their maximum, and as many again for `record` and others
    assert left >= senders + checks + UNRESERVED_MINIMUM
    sweeper = template["Resources"]["SweepFunction"]["Properties"]["ReservedConcurrentExecutions"]
    assert sweeper["Fn::If"][1] == SWEEPER
    assert longest_wait_secs(parameters) == LONGEST_WAIT_SECS == template["Parameters"]["LongestWaitSecs"]["Default"]
    assert "at most 148 each for submit, judge, dialects, result and events" in describe_concurrency(1000, parameters)


@pytest.mark.parametrize(("quota", "reserved"), [(10, "none reserved"), (110, "10 reserved"), (259, "10 reserved")])
def test_preflight_of_a_low_quota_shortens_waits_and_says_why(quota: int, reserved: str) -> None:
    parameters = concurrency_parameters(quota)
    parameters["LongestWaitSecs"] = str(longest_wait_secs(parameters))
    text = describe_concurrency(quota, parameters)
    assert text.startswith(f"{quota} concurrent invocations, {reserved}")
    assert f"wait at most {SHORT_WAIT_SECS} s: request a higher quota" in text


def test_plain_http_to_runners_must_be_asked_for() -> None:
    with pytest.raises(DeployError, match="add AllowRunnerHttp=true"):
        check_runner_url({"RunnerUrl": "http://10.0.0.7:8080"})
    check_runner_url({"RunnerUrl": "http://10.0.0.7:8080", "AllowRunnerHttp": "true"})
    check_runner_url({"RunnerUrl": "https://10.0.0.7:8443"})
    check_runner_url({"RunnerUrl": ""})


def test_reservations_are_left_out_by_default() -> None:
    resources = translate(read(TEMPLATE), {}, "s3://code/functions.zip")["Resources"]
    reserved = {
        name: item["Properties"]["ReservedConcurrentExecutions"]["Fn::If"][2]
        for name, item in resources.items()
        if "ReservedConcurrentExecutions" in item.get("Properties", {})
    }
    waiting = {f"{name}Function" for name in ("Submit", "Judge", "Dialects", "Result", "Events")}
    assert reserved.keys() == waiting | {"SweepFunction"}
    assert all(value == {"Ref": "AWS::NoValue"} for value in reserved.values())


def test_an_aws_service_that_does_not_answer_leaves_every_function_time_to_say_so() -> None:
    pauses = sum(2**attempt for attempt in range(clients.MAX_ATTEMPTS - 1))  # standard mode: below 1, 2, 4 … s
    longest = clients.MAX_ATTEMPTS * (clients.CONNECT_TIMEOUT_SECS + clients.READ_TIMEOUT_SECS) + pauses
    timeouts = [
        item["Properties"]["Timeout"]
        for item in read(TEMPLATE)["Resources"].values()
        if item["Type"] == "AWS::Serverless::Function"
    ]
    assert len(timeouts) >= 7
    assert longest + 2 < min(timeouts)


def test_a_run_costs_more_the_more_it_does_and_x86_more_than_arm() -> None:
    dollars = [dollars_per_million(run, "arm64") for run in (SYNCHRONOUS, POLLED, WEBHOOK)]
    assert all(cheaper < dearer for cheaper, dearer in pairwise(dollars))
    assert all(dollars_per_million(run, "x86_64") > dollars_per_million(run, "arm64") for run in RUNS)


def test_a_synchronous_answer_after_half_a_second_costs_at_most_12_dollars_a_million() -> None:
    assert dollars_per_million(SYNCHRONOUS, "arm64", run_secs=0.5) <= 12


def test_a_wait_is_billed_and_each_choice_of_the_template_lowers_the_price() -> None:
    def dollars(choices: Choices, run_secs: float = 0.5) -> float:
        return sum(prices(SYNCHRONOUS, run_secs, choices).values())

    second = 1e6 * DOLLARS["Lambda GB-second, arm64"] * MEMORY_MB["Submit"] / 1024
    assert dollars(DEFAULT, 1.5) - dollars(DEFAULT, 0.5) == pytest.approx(second)
    assert dollars(EARLIER) > 2 * dollars(DEFAULT)
    for dearer in (Choices(memory_mb=1_024), Choices(logs_platform=True), Choices(has_xray=True)):
        assert dollars(dearer) > dollars(DEFAULT) > dollars(replace(DEFAULT, busy=True))


def test_the_price_model_has_the_choices_of_the_template() -> None:
    document = read(TEMPLATE)
    shared = document["Globals"]["Function"]
    assert (shared["MemorySize"], shared["LoggingConfig"]["SystemLogLevel"]) == (DEFAULT_MEMORY_MB, "WARN")
    assert (document["Parameters"]["UseXRay"]["Default"], DEFAULT.has_xray) == ("false", False)
    functions = {
        name.removesuffix("Function"): item["Properties"]
        for name, item in document["Resources"].items()
        if item["Type"] == "AWS::Serverless::Function"
    }
    own = {name: item["MemorySize"] for name, item in functions.items() if "MemorySize" in item}
    assert own == {**MEMORY_MB, "Sweep": FULL_CPU_MB}
    assert {work.function for run in RUNS for work in run.work} <= functions.keys()
    # Waiting functions: those that `LongestWaitSecs` holds, and the one that waits for receivers.
    waiting = {name for name, item in functions.items() if "LONGEST_WAIT_SECS" in str(item.get("Environment"))}
    assert waiting | {"Webhook"} == MEMORY_MB.keys()


def test_a_stage_without_runs_costs_a_few_dollars_a_month() -> None:
    assert dollars_a_month({"Resources": {"Table": {"Type": "AWS::DynamoDB::Table"}}}) == 0
    template = translate(read(TEMPLATE), {}, "s3://code/functions.zip")
    assert 8 < dollars_a_month(template) < 15


@pytest.mark.parametrize(
    ("given", "stage", "endpoint"),
    [
        (("", "eu-central-1", ""), "prod", None),
        (("dev", "eu-central-1", ""), "dev", None),
        (("", "", "http://127.0.0.1:4566/"), "local", "http://127.0.0.1:4566"),
    ],
)
def test_the_default_stage_is_local_on_an_emulator_and_prod_on_aws(
    given: tuple[str, str, str], stage: str, endpoint: str | None
) -> None:
    target = read_target(*given)
    assert (target.stage, target.endpoint, target.is_loopback) == (stage, endpoint, endpoint is not None)
    assert target.stack_name == f"rustbox-{stage}"


@pytest.mark.parametrize("stage", ["Prod", "1st", "a" * 17, "a_b", "a/b"])
def test_stage_that_the_template_refuses_is_refused_at_once(stage: str) -> None:
    with pytest.raises(DeployError, match="STAGE must be"):
        read_target(stage, "eu-central-1", "")


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (("--endpoint=http://127.0.0.1:9", "--stage=Prod"), "STAGE must be a lower-case name"),
        (("--endpoint=127.0.0.1:4566",), "ENDPOINT must be a URL"),
        (("--stage=local", "--region=eu-central-1"), "the stage local is for emulators"),
        (("--stage=dev", "--endpoint=http://127.0.0.1:9"), "the stage of an emulator is local: leave STAGE out"),
    ],
)
def test_a_target_that_cannot_be_is_explained_and_nothing_is_deployed(
    arguments: tuple[str, ...], explanation: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deployment, "apply", lambda *_: pytest.fail("it went on"))
    assert deploy.main(["deploy", *arguments]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err.startswith("deploy: "), explanation in said.err) == ("", True, True)


def test_an_emulator_elsewhere_cannot_call_this_machine() -> None:
    assert not Target("local", "us-east-1", "http://192.0.2.1:4566").is_loopback


def test_numbers_are_written_into_the_template_but_not_into_environments() -> None:
    template = translate(read(TEMPLATE), {}, "s3://code/functions.zip")
    before = copy.deepcopy(template)
    changed = emulator.with_numbers(template, {"WebhookSenders": "7"})
    assert template == before
    mappings = [item["Properties"] for item in changed["Resources"].values() if item["Type"].endswith("SourceMapping")]
    assert {"MaximumConcurrency": 7} in [mapping.get("ScalingConfig") for mapping in mappings]
    environment = changed["Resources"]["SubmitFunction"]["Properties"]["Environment"]["Variables"]
    assert environment["RETENTION_DAYS"] == {"Ref": "RetentionDays"}


def test_the_runner_file_has_all_variables_and_is_written_once(tmp_path: Path) -> None:
    path, target = tmp_path / "runner.env", Target("dev", "eu-central-1", None)
    assert write_runner_env(path, target, OUTPUTS)
    assert not write_runner_env(path, target, OUTPUTS)
    variables = dict(line.split("=", 1) for line in path.read_text().splitlines() if not line.startswith("#"))
    assert variables == runner_settings(target, OUTPUTS)
    assert "AWS_ENDPOINT_URL" not in variables
    assert variables["VISIBILITY_SECS"] == "90"
    assert OUTPUTS.keys() <= read(TEMPLATE)["Outputs"].keys()


def test_everything_that_outlives_the_stack_can_be_deleted() -> None:
    template = read(TEMPLATE)["Resources"]
    kept = {item.name: item for item in retained({name: f"id-of-{name}" for name in template})}
    assert kept.keys() == {
        *("ProjectsTable", "SubmissionsTable", "ChecksTable", "DeliveriesTable", "EndpointSecretsKey"),
        "PayloadsBucket",
    }
    assert kept["ProjectsTable"].command == "aws dynamodb delete-table --table-name id-of-ProjectsTable"
    assert "s3 rb --force s3://id-of-PayloadsBucket" in kept["PayloadsBucket"].command
    assert "schedule-key-deletion --key-id id-of-EndpointSecretsKey" in kept["EndpointSecretsKey"].command


def test_receiver_stack_has_no_findings_and_its_function_no_permission() -> None:
    stack = receiver_template("s" * 64)
    assert [str(match) for match in lint(json.dumps(stack))] == []
    assert stack["Resources"]["Role"]["Properties"].keys() == {"AssumeRolePolicyDocument"}
    assert len(RECEIVER_CODE) < 4096  # CloudFormation's limit for code in a template


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_the_first_run_of_a_smoke_test_is_repeated_once_and_deleted(
    monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    calls: list[tuple[str, str]] = []

    def call(_: Api, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        calls.append((method, path))
        if len(calls) <= failures:
            raise DeployError(f"{method} {path} answered 503")
        if path == "/api/submit":
            raise DeployError("the next pattern begins")
        return {} if body is None else {"id": "a", "verdict": "AC", "stdout": "42\n"}

    monkeypatch.setattr(Api, "call", call)
    with (
        pytest.raises(DeployError, match="answered 503" if failures == 2 else "the next pattern begins"),
        Api("http://127.0.0.1:9", "X-API-Key", "key") as api,
    ):
        smoke_test.run(api, Progress())
    first = [("POST", "/api/submit?wait=true")]
    after = [("DELETE", "/api/result/a"), ("POST", "/api/submit")]
    assert calls == (2 * first if failures == 2 else first * (failures + 1) + after)


def test_the_first_key_is_shown_although_the_smoke_test_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """No later deployment shows it. Calls of AWS and of the deployed API have stand-ins here."""
    outputs = {"ApiUrl": "https://api", "RunnerPolicyArn": "arn", "DashboardUrl": "https://dashboard"}
    outputs |= {"NetworkRunnerPolicyArn": "arn-of-network"}

    def fail(*_: object) -> None:
        raise DeployError("smoke test: no result")

    stand_ins: dict[str, Callable[..., object]] = {
        "Stack": lambda *_: SimpleNamespace(outputs=lambda: outputs, resources=lambda: {"Api": "api"}),
        "address": lambda *_: "http://127.0.0.1:9",
        "find_secret": lambda *_: "admin key",
        "create_first_project": lambda _: "rb_live_first",
        "smoke_test_key": lambda *_: "rb_live_test",
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(deploy_module, name, stand_in)
    monkeypatch.setattr(deploy_module, "write_runner_env", lambda *_: True)
    monkeypatch.setattr(Deployment, "_check", lambda *_: SimpleNamespace(fleet=None, bucket="code"))
    monkeypatch.setattr(Deployment, "_create", lambda *_: None)
    monkeypatch.setattr(Deployment, "_smoke_test", fail)
    settings = deploy_module.Settings(
        "arm64", {}, tmp_path / "runner.env", start_runner=False, fleet=None, base_image=""
    )
    with pytest.raises(DeployError, match="no result"):
        Deployment(Target("dev", "eu-central-1", None), settings, Progress()).apply()
    assert "API key    rb_live_first\n" in capsys.readouterr().out
