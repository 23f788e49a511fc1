"""One run for each way to get a result, one with content in the bucket, and a cancel, through the deployed API.

A passed test deletes its runs and files. A failed one leaves its run for the search for the cause.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.deploy.building import ROOT
from infra.deploy.stack import Stack, upload_template
from infra.deploy.target import ENDPOINT_VARIABLE, DeployError, Target, endpoint_variable
from infra.local.processes.first_run import receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from infra.deploy.api import Api
    from infra.deploy.target import Progress

# The runner's settings file, and a runner process for smoke tests against an emulator on this machine.

_DRAIN_SECS = 10
_END_SECS = 30


def runner_settings(target: Target, outputs: Mapping[str, str]) -> dict[str, str]:
    """Return the runner's environment variables, without credentials."""
    variables = {
        "INTERACTIVE_QUEUE_URL": outputs["InteractiveQueueUrl"],
        "BATCH_QUEUE_URL": outputs["BatchQueueUrl"],
        "NETWORK_QUEUE_URL": outputs["NetworkQueueUrl"],
        "COMPLETIONS_QUEUE_URL": outputs["CompletionsQueueUrl"],
        "PAYLOADS_BUCKET": outputs["PayloadsBucketName"],
        "VISIBILITY_SECS": outputs["SubmissionVisibilitySecs"],
        "AWS_DEFAULT_REGION": target.region,
    }
    if target.endpoint is None:
        return variables
    own = {name: os.environ[name] for name in map(endpoint_variable, ("sqs", "s3")) if name in os.environ}
    return variables | {ENDPOINT_VARIABLE: target.endpoint} | own


def write_runner_env(path: Path, target: Target, outputs: Mapping[str, str]) -> bool:
    """Write the settings for `docker run --env-file`. Return whether the file changed."""
    lines = [f"# Written by make deploy for the stage {target.stage}. Docker reads it: no quotes, no spaces around =."]
    lines += [f"{name}={value}" for name, value in runner_settings(target, outputs).items()]
    text = "\n".join(lines) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


@contextmanager
def runner_process(target: Target, outputs: Mapping[str, str], folder: Path, root: Path = ROOT) -> Iterator[None]:
    """Run a runner of the checkout `root` on this machine. It drains at the end, then it is killed.

    Its log is `folder/runner.log`.
    """
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TOOLCHAINS_DIR") if name in os.environ},
        **runner_settings(target, outputs),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DRAIN_SECS": str(_DRAIN_SECS),
        "RECEIVE_WAIT_SECS": "1",
        "HEARTBEAT_SECS": "5",
        "LANGUAGES": "python",  # all that the smoke test runs; the others take most of a runner's start
        "LIVENESS_FILE": str(folder / "runner.alive"),
        "PYTHONPATH": str(root),
        "PYTHONUNBUFFERED": "1",
    }
    with (folder / "runner.log").open("wb") as log:
        runner = subprocess.Popen(
            [sys.executable, "-m", "sandbox_runtime", "worker"],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield
        finally:
            runner.terminate()
            try:
                runner.wait(_DRAIN_SECS + _END_SECS)
            except subprocess.TimeoutExpired:
                runner.kill()
                runner.wait()


# A webhook receiver on AWS, for the time of a smoke test: a function with a public address.
#
# It answers 200 to a webhook with a valid signature and 401 to anything else, so the delivery log shows whether it
# arrived unchanged.

_SECRET_BYTES = 32
RECEIVER_CODE = """
import base64, hmac, os, time

def handler(event, context):
    headers, body = event["headers"], event.get("body") or ""
    body = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > 300:
        return {"statusCode": 401}
    signed = f'{headers.get("webhook-id", "")}.{stamp}.'.encode() + body
    mac = base64.b64encode(hmac.digest(os.environ["SECRET"].encode(), signed, "sha256")).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return {"statusCode": 200 if any(hmac.compare_digest("v1," + mac, one) for one in given) else 401}
"""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver."""

    url: str
    secret: str


def receiver_template(secret: str) -> dict[str, Any]:
    """Return the stack. The function has no permission at all, not even to write logs."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    anyone = {"FunctionName": {"Ref": "Function"}, "Principal": "*"}
    return {
        "Description": "Receiver of the smoke test of make deploy. Delete it if it is older than an hour.",
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]}},
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Code": {"ZipFile": RECEIVER_CODE},
                    "Timeout": 10,
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Environment": {"Variables": {"SECRET": secret}},
                },
            },
            "Url": {
                "Type": "AWS::Lambda::Url",
                "Properties": {"AuthType": "NONE", "TargetFunctionArn": {"Fn::GetAtt": ["Function", "Arn"]}},
            },
            # Both are needed: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
            "MayCallUrl": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {**anyone, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
            },
            "MayCallFunction": {
                "Type": "AWS::Lambda::Permission",
                "Properties": {**anyone, "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
            },
        },
        "Outputs": {"Url": {"Value": {"Fn::GetAtt": ["Url", "FunctionUrl"]}}},
    }


@contextmanager
def receiver_on_aws(target: Target, bucket: str, progress: Progress) -> Iterator[Receiver]:
    """Create the receiver and delete it at the end. `bucket`: for its template."""
    stack = Stack(Target(f"{target.stage}-receiver", target.region, target.endpoint), progress)
    secret = secrets.token_hex(_SECRET_BYTES)
    try:
        stack.deploy(upload_template(target, bucket, receiver_template(secret)), {})
        yield Receiver(stack.outputs()["Url"], secret)
    finally:
        if stack.describe() is not None:
            stack.delete()


RUNNER_SECS = 90
_RESULT_SECS = 60
_PROGRAM = {"language": "python", "code": "print(6 * 7)"}
_PASSED = ("AC", "42\n")
# Input and output are too large for a row, so that they go through the bucket.
_STDIN = "i" * (9 * 1024)
_OUTPUT = "o" * (100 * 1024)
_COPY = f"""
content = open("in.txt").read() + input()
open("out.txt", "w").write(content)
print(content + "o" * {len(_OUTPUT)})
"""
_SLEEP = {
    "language": "python",
    "code": "import time\nprint(6 * 7, flush=True)\ntime.sleep(60)",
    "limits": {"wall_time_secs": 25},
}
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - a public test vector


def wait_for_runner(api: Api, secs: float) -> bool:
    """Return whether a runner reported within the time."""
    deadline = time.monotonic() + secs
    while api.status("GET", "/api/health/ready") != 200:  # noqa: PLR2004 - a runner is live
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def run(api: Api, progress: Progress) -> None:
    """Run all tests without a receiver and show their times. Raises DeployError."""
    try:
        _wait(api, progress)
    except DeployError as error:
        # The first calls of new functions may take longer than a client waits, or come before their rights apply.
        progress.step("wait", f"repeated once: {error}")
        _wait(api, progress)
    _show(api, progress, "poll", lambda: _result(api, _submit(api, _PROGRAM)))
    _run_with_content(api, progress)
    _show(api, progress, "cancel", lambda: _cancelled(api), ("SIG", "42\n"))


def run_webhook_here(api: Api, progress: Progress) -> None:
    """Receive a webhook on loopback, which an emulator on this machine can call. Raises DeployError."""
    _show(api, progress, "webhook", lambda: _webhook(api))


def run_webhook_on_aws(api: Api, progress: Progress, url: str, secret: str) -> None:
    """Wait until a receiver that checks signatures has accepted a webhook. Raises DeployError."""
    started = time.monotonic()
    submission_id = _submit(api, {**_PROGRAM, "webhook_url": url, "webhook_secret": secret})
    state = "missing"
    while time.monotonic() - started < _RESULT_SECS:
        found = api.call("GET", f"/api/deliveries?submission_id={submission_id}")["items"]
        state = found[0]["state"] if found else "missing"
        if state == "delivered":
            progress.step("webhook", f"delivered, signature valid  {1000 * (time.monotonic() - started):.0f} ms")
            _delete(api, submission_id)
            return
        time.sleep(1)
    raise DeployError(
        f"smoke test: the webhook of {submission_id} is {state} after {_RESULT_SECS} s: "
        "look at its attempts with `rustbox deliveries list`, and at the log of WebhookFunction"
    )


def _wait(api: Api, progress: Progress) -> None:
    _show(api, progress, "wait", lambda: api.call("POST", "/api/submit?wait=true", _PROGRAM))


def _run_with_content(api: Api, progress: Progress) -> None:
    """Run with a large input, a large output, a file and an artifact: the bucket holds them all."""
    content = secrets.token_hex(32)  # new bytes: the API does not ask for those that it has
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    submission = {
        "language": "python",
        "code": _COPY,
        "stdin": _STDIN,
        "files": [{"path": "in.txt", "sha256": sha256}],
        "artifacts": ["out.txt"],
    }

    def once() -> dict[str, Any]:
        upload = api.call("POST", "/api/files", {"sha256": sha256, "size": len(content)})["upload"]
        api.follow(upload, content.encode())
        result = _result(api, _submit(api, submission))
        link = api.call("GET", f"/api/result/{result['id']}/artifacts/out.txt")
        if (found := api.follow(link)) != (content + _STDIN).encode():
            raise DeployError(f"smoke test, content: the artifact of {result['id']} has {len(found)} other bytes")
        return result

    _show(api, progress, "content", once, ("AC", f"{content}{_STDIN}{_OUTPUT}\n"))
    api.call("DELETE", f"/api/files/{sha256}")


def _show(
    api: Api,
    progress: Progress,
    pattern: str,
    once: Callable[[], dict[str, Any]],
    expected: tuple[str, str] = _PASSED,
) -> None:
    """Run once, compare verdict and output, show the time, and delete the run."""
    started = time.monotonic()
    result = once()
    if (result.get("verdict"), result.get("stdout")) != expected:
        verdict, stdout = expected
        wanted = f"{verdict} and {stdout.strip()[:80]}"
        raise DeployError(f"smoke test, {pattern}: expected {wanted}, got {str(result)[:1000]}")
    progress.step(pattern, f"{result['verdict']}  {1000 * (time.monotonic() - started):.0f} ms")
    _delete(api, result["id"])


def _submit(api: Api, submission: dict[str, Any]) -> str:
    return str(api.call("POST", "/api/submit", submission)["id"])


def _delete(api: Api, submission_id: str) -> None:
    api.call("DELETE", f"/api/result/{submission_id}")


def _result(api: Api, submission_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + _RESULT_SECS
    while time.monotonic() < deadline:
        result = api.call("GET", f"/api/result/{submission_id}?wait=10")
        if "verdict" in result:
            return result
    raise DeployError(f"smoke test: {submission_id} has no result after {_RESULT_SECS} s: look at the runner's log")


def _cancelled(api: Api) -> dict[str, Any]:
    """Cancel a run as soon as the API shows its output."""
    submission_id = _submit(api, _SLEEP)
    deadline = time.monotonic() + _RESULT_SECS
    while time.monotonic() < deadline:
        if api.call("GET", f"/api/result/{submission_id}/output?stream=stdout&wait=10")["output"]:
            break
    api.call("POST", f"/api/result/{submission_id}/cancel")
    return _result(api, submission_id)


def _webhook(api: Api) -> dict[str, Any]:
    with receiver(_SECRET) as (url, wait):
        submission_id = _submit(api, {**_PROGRAM, "webhook_url": url, "webhook_secret": _SECRET})
        body = wait(_RESULT_SECS)
    if body is None:
        raise DeployError(
            f"smoke test: no webhook of {submission_id} with a valid signature within {_RESULT_SECS} s: "
            "look at the log of WebhookFunction"
        )
    return body
