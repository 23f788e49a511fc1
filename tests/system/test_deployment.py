"""`make deploy` against a real emulator: the built zip, CloudFormation, the HTTP API, a runner, a signed webhook."""

import base64
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from localstack_client.session import Session
from standardwebhooks.webhooks import Webhook

from functions import VERSION
from infra.deploy import smoke_test, stack
from infra.deploy.api import Api
from infra.deploy.building import BASE_IMAGE, Package, build, own_architecture
from infra.deploy.deploy import Deployment, Settings, queue_line, undeploy
from infra.deploy.emulator import probe, without_rollout
from infra.deploy.smoke_test import receiver_on_aws, runner_settings
from infra.deploy.stack import Stack, ensure_secret, find_secret
from infra.deploy.target import DeployError, Progress, Target
from infra.release import write_template
from tests.commands import run_to_end
from tests.large_run import assert_large_runs
from tests.system.deployed_runner import deployed_runner
from tests.system.local_stack import ROOT, wait_until
from tests.system.ministack import ministack
from tests.system.webhook_inbox import open_inbox

pytestmark = pytest.mark.timeout(600)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ministack(tmp_path_factory.mktemp("ministack")) as url:
        yield url


@pytest.fixture(scope="module")
def package() -> Package:
    """Build the zip that all deployments of these tests have."""
    return build(own_architecture())


def _deploy(*arguments: str, code: int = 0) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = run_to_end([sys.executable, "-m", "infra.deploy", *arguments], env=environment, timeout=500)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def deploy_again(
    package: Package, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Target, Path], str]:
    """Deploy once more, with another parameter. The command has built the zip and linted the template before."""
    monkeypatch.setattr("infra.deploy.deploy.build", lambda _: package)
    monkeypatch.setattr("infra.deploy.deploy.lint", lambda _: [])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def deploy(target: Target, runner_env: Path) -> str:
        settings = Settings("", {"RetentionDays": "7"}, runner_env, False, None, BASE_IMAGE)
        capsys.readouterr()
        Deployment(target, settings, Progress()).apply()
        return capsys.readouterr().out

    return deploy


def _client(endpoint: str, service: str) -> Any:
    return Session(localstack_host=endpoint.removeprefix("http://")).client(service)


def _state(endpoint: str) -> dict[str, str]:
    stack = _client(endpoint, "cloudformation").describe_stacks(StackName="rustbox-local")["Stacks"][0]
    return {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}


def _await_check(client: httpx.Client, check: str) -> None:
    """The minute schedule takes a slot of the check; the hint of its end comes through the queue."""

    def is_up() -> bool:
        return bool(client.get(f"/api/checks/{check}").json()["state"] == "up")

    # Each question is an invocation of a function, which costs more than one of the local stack.
    wait_until(is_up, 150, "the schedule ran the check", longest_pause_secs=2)
    *_, first = client.get(f"/api/checks/{check}/runs").json()["items"]  # the one of the next minute may have begun
    assert (first["kind"], first["status"]) == ("scheduled", "passed")


def _delete_check(client: httpx.Client, check: str) -> None:
    """Without a runner, a run of its next minute would stay in the queue, and so would one that has begun."""
    assert client.delete(f"/api/checks/{check}").status_code == 200

    def is_idle() -> bool:
        found = [client.get("/api/results", params={"status": status}).json() for status in ("pending", "running")]
        return [page["items"] for page in found] == [[], []]

    wait_until(is_idle, 60, "no run is left", longest_pause_secs=1)


def _await_requested_check(endpoint: str, bus: str, client: httpx.Client, check: str) -> None:
    """The rule of the bus sends an event of others to the queue of checks."""
    dynamodb = _client(endpoint, "dynamodb")
    (table,) = (name for name in dynamodb.list_tables()["TableNames"] if "ChecksTable" in name)
    rows = dynamodb.scan(TableName=table)["Items"]
    project_id = next(row["project_id"]["S"] for row in rows if row.get("check_id") == {"S": check})
    detail = {"project_id": project_id, "check_id": check, "event_id": "deploy-1"}
    entry = {"Source": "deploy", "DetailType": "check.requested", "Detail": json.dumps(detail), "EventBusName": bus}
    for _ in range(2):
        assert _client(endpoint, "events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def requested() -> list[str]:
        runs = client.get(f"/api/checks/{check}/runs").json()["items"]
        return [run["status"] for run in runs if run["kind"] == "event"]

    wait_until(lambda: requested() == ["passed"], 60, "the event ran the check", longest_pause_secs=1)


def _await_event_with_large_output(endpoint: str, bus: str, client: httpx.Client) -> None:
    """The function behind the stream reads the output in the bucket, and the bus gets the whole event."""
    sqs, events = _client(endpoint, "sqs"), _client(endpoint, "events")
    queue = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["rustbox"], "detail-type": ["submission.completed"]})
    events.put_rule(Name="subscriber", EventBusName=bus, EventPattern=pattern)
    events.put_targets(Rule="subscriber", EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    program = {"language": "python", "code": "print('o' * 100_000)"}
    answer = client.post("/api/submit", json=program, params={"wait": "true"})
    assert answer.json()["stdout"] == "o" * 100_000 + "\n", answer.text[:1000]
    submission_id = answer.json()["id"]
    found: dict[str, str] = {}

    def came() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            found[detail["id"]] = detail["stdout"]
        return submission_id in found

    wait_until(came, 60, "the bus has the event")
    assert found[submission_id] == "o" * 100_000 + "\n"
    events.remove_targets(Rule="subscriber", EventBusName=bus, Ids=["queue"])
    events.delete_rule(Name="subscriber", EventBusName=bus)
    sqs.delete_queue(QueueUrl=queue)


def _assert_rows_expire(endpoint: str) -> None:
    tables = _client(endpoint, "dynamodb").list_tables()["TableNames"]
    expiry = {
        _client(endpoint, "dynamodb").describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
        for name in tables
    }
    assert len(tables) == 6
    assert expiry == {"ENABLED"}


def _assert_the_smoke_test_left_nothing(target: Target, address: str) -> None:
    key = find_secret(target, f"/rustbox/{target.stage}/smoke-test-key") or ""
    with httpx.Client(base_url=address, headers={"X-API-Key": key}, timeout=40) as client:
        assert [client.get(f"/api/{kept}").json()["items"] for kept in ("results", "files")] == [[], []]
    bucket = Stack(target, Progress()).outputs()["PayloadsBucketName"]
    keys = [item["Key"] for item in target.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])]
    assert [key for key in keys if key.startswith(("inputs/", "outputs/"))] == []


def test_a_stage_is_created_used_updated_and_deleted(
    endpoint: str, package: Package, deploy_again: Callable[[Target, Path], str], tmp_path: Path
) -> None:
    runner_env = tmp_path / "runner.env"

    # Created, with a green smoke test; the zip that runs is the one that was built.
    said = _deploy("deploy", f"--endpoint={endpoint}", f"--runner-env={runner_env}")
    runs = re.findall(r" (wait|poll|content|cancel|webhook) +(AC|SIG) ", said)
    assert runs == [("wait", "AC"), ("poll", "AC"), ("content", "AC"), ("cancel", "SIG"), ("webhook", "AC")], said
    (key,) = re.findall(r"^API key +(rb_live_\S+)$", said, re.MULTILINE)
    (address,) = re.findall(r"^API +(http\S+)$", said, re.MULTILINE)
    assert _state(endpoint)["Architecture"] == own_architecture()
    functions = _client(endpoint, "lambda").list_functions()["Functions"]
    digest = base64.b64encode(bytes.fromhex(package.digest)).decode()
    assert {function["CodeSha256"] for function in functions} == {digest}
    _assert_rows_expire(endpoint)

    # Used, with the file for runners as a host would use it.
    variables = dict(line.split("=", 1) for line in runner_env.read_text().splitlines() if not line.startswith("#"))
    target = Target("local", "us-east-1", endpoint)
    outputs = Stack(target, Progress()).outputs()
    _assert_the_smoke_test_left_nothing(target, address)
    assert variables == runner_settings(target, outputs)
    assert not [name for name in variables if "KEY" in name or "TOKEN" in name or "SECRET" in name]
    with (
        deployed_runner(target, outputs, runner_env, tmp_path),
        open_inbox() as inbox,
        httpx.Client(base_url=address, headers={"X-API-Key": key}, timeout=40) as client,
    ):
        program = {"name": "deployed", "language": "python", "code": "print(42)", "schedule": "rate(1 minute)"}
        check = client.post("/api/checks", json=program).json()["id"]
        submitted = client.post(
            "/api/submit",
            json={
                "language": "python",
                "code": "print(input()[::-1])",
                "stdin": "deployed",
                "webhook_url": inbox.url,
                "webhook_secret": SECRET,
            },
        )
        assert submitted.status_code == 202, submitted.text
        submission_id = submitted.json()["id"]
        wait_until(lambda: inbox.all() != [], 100, "the webhook came")
        delivery = inbox.all()[0]
        body = Webhook(SECRET).verify(delivery.body, delivery.headers)
        assert (body["id"], body["verdict"], body["stdout"]) == (submission_id, "AC", "deyolped\n")
        with Api(address, "X-API-Key", key) as api:  # what the smoke test on AWS does, with another receiver
            smoke_test.run_webhook_on_aws(api, Progress(), inbox.url, SECRET)
        assert client.get("/api/nothing").status_code == 404
        shown = _deploy("status", f"--endpoint={endpoint}")
        assert re.search(rf"^API +{address}  ok, version {VERSION}$", shown, re.MULTILINE)
        assert re.search(rf"^runners +\d+ slots, strict, version {VERSION}$", shown, re.MULTILINE)
        assert client.get("/api/results", headers={"X-API-Key": "rb_live_wrong"}).status_code == 401
        _await_event_with_large_output(endpoint, outputs["EventBusName"], client)
        assert_large_runs(client)
        _await_check(client, check)
        _await_requested_check(endpoint, outputs["EventBusName"], client, check)
        _delete_check(client, check)

    _assert_a_zip_whose_s3_calls_fail_gets_no_traffic(endpoint, package, address)

    # Updated: data and keys survive. Without a change, nothing changes.
    said = deploy_again(target, runner_env)
    assert ("rustbox-local: update" in said, "API key" in said) == (True, False)
    assert _state(endpoint)["RetentionDays"] == "7"
    result = httpx.get(f"{address}/api/result/{submission_id}", headers={"X-API-Key": key}, timeout=40)
    assert result.json()["stdout"] == "deyolped\n"
    assert "rustbox-local has no changes" in deploy_again(target, runner_env)
    said = _deploy("status", f"--endpoint={endpoint}")
    assert re.search(r"^BatchQueue +0 +0 ", said, re.MULTILINE), said
    assert "UPDATE_COMPLETE" in said

    _assert_it_can_be_deleted(endpoint)


def _assert_a_zip_whose_s3_calls_fail_gets_no_traffic(endpoint: str, package: Package, address: str) -> None:
    """As far as an emulator goes, which has no CodeDeploy: the answer that stops a release, and the alias before it."""
    functions = _client(endpoint, "lambda")
    names = [item["FunctionName"] for item in functions.list_functions()["Functions"]]
    (check,) = (name for name in names if "ReleaseFunction" in name)
    (result,) = (name for name in names if "ResultFunction" in name)

    def status() -> str:
        answer: dict[str, str] = json.loads(functions.invoke(FunctionName=check, Payload=b"{}")["Payload"].read())
        return answer["status"]

    assert status() == "Succeeded"
    broken, good = _without_a_text_of_s3(package.path), package.path.read_bytes()
    for name in (check, result):
        functions.update_function_code(FunctionName=name, ZipFile=broken)
    assert status() == "Failed"
    # The newest code of this function is broken too, and its route leads to the version before.
    assert functions.get_alias(FunctionName=result, Name="live")["FunctionVersion"] == "1"
    assert httpx.get(f"{address}/api/health", timeout=40).status_code == 200
    for name in (check, result):
        functions.update_function_code(FunctionName=name, ZipFile=good)
    assert status() == "Succeeded"


def _without_a_text_of_s3(path: Path) -> bytes:
    """Return the zip without a text that botocore reads at each request to S3: one of ours lacked it once."""
    written = io.BytesIO()
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as broken:
        for name in good.namelist():
            content = good.read(name)
            if name == "botocore/data/s3/2006-03-01/service-2.json":
                described = json.loads(content)
                for parameter in described["clientContextParams"].values():
                    del parameter["documentation"]
                content = json.dumps(described).encode()
            broken.writestr(name, content)
    return written.getvalue()


def _assert_it_can_be_deleted(endpoint: str) -> None:
    said = _deploy("undeploy", f"--endpoint={endpoint}", "--data=delete")
    assert "rustbox-local is deleted" in said
    assert "/rustbox/local/admin-key" in said
    assert _client(endpoint, "lambda").list_functions()["Functions"] == []
    assert _client(endpoint, "ssm").describe_parameters()["Parameters"] == []
    assert "there is no stack rustbox-local" in _deploy("undeploy", f"--endpoint={endpoint}", code=1)


@pytest.fixture
def stage_with_data(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Target:
    """A stage whose table, bucket and key are not the stack's own: an emulator may delete those with the stack."""
    target = Target("kept", "us-east-1", endpoint)
    s3, dynamodb, kms = (target.client(name) for name in ("s3", "dynamodb", "kms"))
    key_schema = {"AttributeName": "pk", "KeyType": "HASH"}
    dynamodb.create_table(
        TableName="kept-projects",
        KeySchema=[key_schema],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName="kept-projects", Item={"pk": {"S": "a row"}})
    s3.create_bucket(Bucket="kept-payloads")
    s3.put_object(Bucket="kept-payloads", Key="outputs/a", Body=b"x")
    ids = {
        "ProjectsTable": "kept-projects",
        "PayloadsBucket": "kept-payloads",
        "EndpointSecretsKey": kms.create_key()["KeyMetadata"]["KeyId"],
    }
    monkeypatch.setattr(Stack, "resources", lambda _: ids)
    _create_small_stack(target)
    return target


def _create_small_stack(target: Target) -> None:
    account = target.client("sts").get_caller_identity()["Account"]
    bucket = stack.bucket_name(target, account)
    stack.ensure_bucket(target, bucket)
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}}
    Stack(target, Progress()).deploy(stack.upload_template(target, bucket, template), {})
    ensure_secret(target, target.admin_key_parameter)


def test_undeploy_keeps_data_and_lists_it_and_deletes_it_only_if_asked(
    stage_with_data: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    target, dynamodb, s3 = stage_with_data, stage_with_data.client("dynamodb"), stage_with_data.client("s3")
    undeploy(target, Progress(), delete_data=False)
    said = capsys.readouterr().out
    assert Stack(target, Progress()).describe() is None
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if "kept" in bucket["Name"]] == ["kept-payloads"]
    assert dynamodb.scan(TableName="kept-projects")["Count"] == 1
    assert s3.get_object(Bucket="kept-payloads", Key="outputs/a")["Body"].read() == b"x"
    assert find_secret(target, target.admin_key_parameter) is not None
    for kept in ("ProjectsTable  kept-projects", "PayloadsBucket  kept-payloads", "EndpointSecretsKey"):
        assert re.search(rf" stays +{kept}", said), said
    assert "\n  aws dynamodb delete-table --table-name kept-projects\n" in said
    assert "\n  aws s3 rb --force s3://kept-payloads\n" in said

    _create_small_stack(target)
    undeploy(target, Progress(), delete_data=True)
    said = capsys.readouterr().out
    assert "kept-projects" not in dynamodb.list_tables()["TableNames"]
    assert "kept-payloads" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert find_secret(target, target.admin_key_parameter) is None
    assert said.count(" deleted ") == 4  # table, bucket, key, secret
    assert " stays " not in said

    _create_small_stack(target)
    undeploy(target, Progress(), delete_data=True)  # what is gone already is no error
    assert "kept-projects" not in capsys.readouterr().out


@pytest.mark.whole
def test_undeploy_goes_on_with_the_network_that_an_interrupted_call_has_left(
    endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    target, network = (Target(stage, "us-east-1", endpoint) for stage in ("cut", "cut-network"))
    _create_small_stack(network)
    undeploy(target, Progress(), delete_data=False)
    assert "rustbox-cut-network is deleted" in capsys.readouterr().out
    with pytest.raises(DeployError, match="there is no stack rustbox-cut:"):
        undeploy(target, Progress(), delete_data=False)


def test_status_shows_the_age_of_the_oldest_message(endpoint: str) -> None:
    target = Target("local", "us-east-1", endpoint)
    target.client("cloudwatch").put_metric_data(
        Namespace="AWS/SQS",
        MetricData=[
            {
                "MetricName": "ApproximateAgeOfOldestMessage",
                "Dimensions": [{"Name": "QueueName", "Value": "batch"}],
                "Value": 42,
            }
        ],
    )
    url = target.client("sqs").create_queue(QueueName="batch")["QueueUrl"]
    target.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    assert queue_line(target, "BatchQueue", url).split() == ["BatchQueue", "1", "0", "42", "s"]
    url = target.client("sqs").create_queue(QueueName="interactive")["QueueUrl"]
    assert queue_line(target, "InteractiveQueue", url).split() == ["InteractiveQueue", "0", "0", "-"]


@pytest.mark.whole
def test_a_stack_that_cannot_be_created_says_why_and_the_next_deployment_replaces_it(endpoint: str) -> None:
    target = Target("broken", "us-east-1", endpoint)
    s3, stack = target.client("s3"), Stack(target, Progress())
    s3.create_bucket(Bucket="templates")
    policy = {"Type": "AWS::Logs::ResourcePolicy", "Properties": {"PolicyDocument": "{}"}}
    s3.put_object(Bucket="templates", Key="bad.json", Body=json.dumps({"Resources": {"Logs": policy}}))
    with pytest.raises(DeployError, match=r"(?s)rustbox-broken ended as.*PolicyName"):
        stack.deploy(f"{endpoint}/templates/bad.json", {})
    s3.put_object(
        Bucket="templates", Key="good.json", Body=json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    )
    assert stack.deploy(f"{endpoint}/templates/good.json", {})
    assert set(stack.resources()) == {"Q"}
    stack.delete()
    assert stack.describe() is None


@pytest.mark.whole
def test_receiver_for_smoke_tests_on_aws_accepts_signed_webhooks_only_and_is_deleted(endpoint: str) -> None:
    target = Target("dev", "us-east-1", endpoint)
    target.client("s3").create_bucket(Bucket="receivers")
    with receiver_on_aws(target, "receivers", Progress()) as hook:
        # Not its host name, which resolves on AWS only.
        address = f"{endpoint}/_aws/lambda-url/{hook.url.partition('//')[2].partition('.')[0]}/"
        now, body = datetime.now(UTC), '{"verdict": "AC"}'
        signature = Webhook(base64.b64encode(hook.secret.encode()).decode()).sign("msg_1", now, body)
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": f"v1,unknown {signature}",
        }

        def status(content: str, **changed: str) -> int:
            given = headers | {name.replace("_", "-"): value for name, value in changed.items()}
            return httpx.post(address, content=content, headers=given, timeout=40).status_code

        assert status(body) == 200
        assert status(body.replace("AC", "RE")) == 401
        assert status(body, webhook_id="msg_2") == 401
        assert status(body, webhook_timestamp=str(int(now.timestamp()) - 301)) == 401
        assert status(body, webhook_timestamp="") == 401
        assert status(body, webhook_signature="") == 401
    assert Stack(Target("dev-receiver", "us-east-1", endpoint), Progress()).describe() is None


@pytest.mark.parametrize(
    ("arguments", "explanation"),
    [
        (("deploy", "--endpoint=http://127.0.0.1:9"), "start the emulator"),
        (("deploy", "--stage=dev", "--region=eu-central-1"), "no AWS credentials"),
    ],
)
def test_a_deployment_that_cannot_start_names_the_way_out(
    arguments: tuple[str, ...], explanation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")  # no profile of the person who runs the tests
    assert explanation in _deploy(*arguments, code=1)


@pytest.mark.parametrize(
    ("argument", "problem"),
    [
        ("--parameters=Nonsense=1", "template.yaml has no parameter Nonsense"),
        (
            "--parameters=RetentionDays=0 DueShards=x",
            "RetentionDays must be at least 1 and at most 365; got '0'; DueSh",
        ),
        pytest.param(
            "--parameters=DomainName=a.example", "DomainName needs DomainCertificateArn.", marks=pytest.mark.whole
        ),
        ("--stage=other", "the stage of an emulator is local: leave STAGE out; got other"),
    ],
)
def test_a_bad_parameter_stops_the_deployment_before_anything_is_created(
    endpoint: str, argument: str, problem: str
) -> None:
    def left() -> object:
        found = _client(endpoint, "ssm").describe_parameters()["Parameters"]
        return _client(endpoint, "s3").list_buckets()["Buckets"], [each["Name"] for each in found]

    before = left()
    said = _deploy("deploy", f"--endpoint={endpoint}", argument, code=1)
    assert problem in said
    assert " preflight " not in said
    assert left() == before


def test_the_page_about_emulators_describes_the_installed_one(endpoint: str) -> None:
    assert probe(Target("any", "us-east-1", endpoint), Progress()) in (ROOT / "docs" / "emulators.md").read_text()


@pytest.mark.whole
def test_sam_deploys_the_released_files(endpoint: str, package: Package, tmp_path: Path) -> None:
    """As they are, but for the resources of CodeDeploy, which the emulator refuses."""
    template = write_template(tmp_path)
    template.write_text(json.dumps(without_rollout(json.loads(template.read_text()))))
    bucket, name = "rustbox-release", "rustbox-released"
    _client(endpoint, "s3").create_bucket(Bucket=bucket)
    key = f"0.1/rustbox-functions-{VERSION}-{own_architecture()}.zip"
    _client(endpoint, "s3").upload_file(str(package.path), bucket, key)
    parameters = ("CodePrefix=0.1/", f"CodeBucket={bucket}", f"Architecture={own_architecture()}", "Stage=local")
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("sam"), "deploy", "--template-file", template),
            *("--stack-name", name, "--s3-bucket", bucket, "--capabilities", "CAPABILITY_IAM"),
            *("--no-confirm-changeset", "--parameter-overrides", *parameters),
        ],
        cwd=tmp_path,  # no checkout: neither samconfig.toml nor template.yaml
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "SAM_CLI_TELEMETRY": "0",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cloudformation = _client(endpoint, "cloudformation")
    api = cloudformation.describe_stack_resource(StackName=name, LogicalResourceId="Api")["StackResourceDetail"]
    health = httpx.get(f"{endpoint}/_aws/execute-api/{api['PhysicalResourceId']}/api/health", timeout=60)
    assert health.json()["version"] == VERSION
    cloudformation.delete_stack(StackName=name)
