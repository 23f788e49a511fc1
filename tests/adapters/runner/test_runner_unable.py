"""A worker on a host that cannot isolate tells the service why, and says it in the last line of its log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.sqs_server import SqsServer, open_sqs_server
from tests.commands import run_to_end

ROOT = Path(__file__).parents[3]
WITHOUT_NAMESPACES = ("/usr/bin/setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin")
AS_NOBODY = ("/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def work(sqs: SqsServer, *wrapper: str) -> subprocess.CompletedProcess[str]:
    """Run a worker that must end by itself."""
    queues = ("INTERACTIVE_QUEUE_URL", "BATCH_QUEUE_URL", "COMPLETIONS_QUEUE_URL")
    environment = {
        **dict.fromkeys(queues, f"{sqs.url}/000000000000/queue"),
        "PAYLOADS_BUCKET": "none",
        "NODE_ID": "unable",
        "AWS_ENDPOINT_URL": sqs.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return run_to_end(
        [*wrapper, sys.executable, "-m", "sandbox_runtime", "worker"],
        env={name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ} | environment,
    )


@pytest.mark.parametrize(
    ("wrapper", "reason", "remedy"),
    [
        (WITHOUT_NAMESPACES, "this host cannot isolate: ", "capabilities are missing: give the runner"),
        (AS_NOBODY, "the sandbox needs root", "use sudo, or in a container `docker run --user 0`"),
    ],
    ids=["no namespaces", "no root"],
)
def test_a_runner_that_cannot_work_reports_the_reason(wrapper: tuple[str, ...], reason: str, remedy: str) -> None:
    with open_sqs_server() as sqs:
        done = work(sqs, *wrapper)
    assert done.returncode == 121, done.stderr
    (heartbeat,) = sqs.sent
    assert (heartbeat["type"], heartbeat["node_id"], heartbeat["slots"]) == ("runner_heartbeat", "unable", 0)
    assert reason in heartbeat["problem"]
    assert remedy in heartbeat["problem"]
    assert done.stderr.splitlines()[-1].endswith(heartbeat["problem"])


def test_a_failed_report_to_the_service_still_prints_the_reason() -> None:
    with open_sqs_server() as sqs:
        sqs.denied.add("SendMessageBatch")
        done = work(sqs, *AS_NOBODY)
    assert done.returncode == 121
    before, last = done.stderr.splitlines()[-2:]
    assert "problem not reported to the service" in before
    assert "AccessDeniedException" in before
    assert "the sandbox needs root" in last
