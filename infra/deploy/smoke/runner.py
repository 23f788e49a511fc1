"""The runner's settings file, and a runner process for smoke tests against an emulator on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from infra.deploy.building.package import ROOT
from infra.deploy.target import ENDPOINT_VARIABLE, endpoint_variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.deploy.target import Target

_DRAIN_SECS = 10
_END_SECS = 30


def settings(target: Target, outputs: Mapping[str, str]) -> dict[str, str]:
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


def write_file(path: Path, target: Target, outputs: Mapping[str, str]) -> bool:
    """Write the settings for `docker run --env-file`. Return whether the file changed."""
    lines = [f"# Written by make deploy for the stage {target.stage}. Docker reads it: no quotes, no spaces around =."]
    lines += [f"{name}={value}" for name, value in settings(target, outputs).items()]
    text = "\n".join(lines) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


@contextmanager
def process(target: Target, outputs: Mapping[str, str], folder: Path) -> Iterator[None]:
    """Run a runner on this machine. It drains at the end, then it is killed. Its log is `folder/runner.log`."""
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TOOLCHAINS_DIR") if name in os.environ},
        **settings(target, outputs),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "DRAIN_SECS": str(_DRAIN_SECS),
        "RECEIVE_WAIT_SECS": "1",
        "HEARTBEAT_SECS": "5",
        "LANGUAGES": "python",  # all that the smoke test runs; the others take most of a runner's start
        "LIVENESS_FILE": str(folder / "runner.alive"),
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
    }
    with (folder / "runner.log").open("wb") as log:
        runner = subprocess.Popen(
            [sys.executable, "-m", "sandbox_runtime", "worker"],
            cwd=ROOT,
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
