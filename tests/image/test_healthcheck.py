"""The worker's container on a local stack: healthy while its heartbeats arrive, unhealthy once the queues are gone.

Needs the image `rustbox-runner` and a Docker engine: `infra/image/test.sh` brings both.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from tests.emulator import Emulator, emulator
from tests.until import until

PATIENCE_SECS = 180
# The image's own health check, looked at more often; everything else is the image's.
QUICK = ("--health-interval=1s", "--health-retries=1", "--health-start-period=0s")
QUEUES = ("INTERACTIVE", "BATCH", "COMPLETIONS")


def docker(*arguments: str) -> str:
    done = subprocess.run(["/usr/bin/docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).strip() if arguments[0] == "logs" else done.stdout.strip()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Emulator]:
    with emulator(tmp_path) as started:
        yield started


def environment(endpoint: str) -> dict[str, str]:
    access = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
    sqs = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name=access["AWS_DEFAULT_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    urls = {f"{name}_QUEUE_URL": sqs.create_queue(QueueName=name.lower())["QueueUrl"] for name in QUEUES}
    # A slot has 120 s to open: other stages run beside this one.
    own = {"PAYLOADS_BUCKET": "payloads", "HEARTBEAT_SECS": "1", "SLOTS": "1", "SETUP_TIMEOUT_SECS": "120"}
    return {**access, **urls, **own}


@pytest.fixture
def container(server: Emulator) -> Iterator[str]:
    """Run the worker with the privileges of docs/runner.md; gives the container's name."""
    name = f"rustbox-health-{uuid4().hex[:8]}"
    variables = [part for name, text in environment(server.url).items() for part in ("--env", f"{name}={text}")]
    privileges = os.environ["RUSTBOX_IMAGE_PRIVILEGES"].split()
    docker("run", "--detach", "--name", name, "--network=host", *QUICK, *privileges, *variables, "rustbox-runner")
    yield name
    docker("stop", "--time=30", name)
    exit_code = docker("inspect", "--format={{.State.ExitCode}}", name)
    docker("rm", name)
    assert exit_code == "0"


@pytest.mark.timeout(600)
def test_the_container_is_healthy_as_long_as_its_heartbeats_arrive(server: Emulator, container: str) -> None:
    def status() -> str:
        assert docker("inspect", "--format={{.State.Running}}", container) == "true", docker("logs", container)
        return docker("inspect", "--format={{.State.Health.Status}}", container)

    def last_look() -> tuple[int, str]:
        look = json.loads(docker("inspect", "--format={{json .State.Health.Log}}", container))[-1]
        return look["ExitCode"], look["Output"]

    def log() -> str:
        return f"{status()} {docker('logs', container)}"

    until(lambda: status() == "healthy", log, PATIENCE_SECS)
    code, line = last_look()
    assert (code, line.startswith("healthy: the last heartbeat was sent ")) == (0, True)

    os.kill(server.pid, 9)
    until(lambda: status() == "unhealthy", log)
    code, line = last_look()
    assert code == 1
    assert line.startswith("python -m sandbox_runtime: unhealthy: the last heartbeat was sent ")


def test_the_image_checks_itself_by_default() -> None:
    found = json.loads(docker("image", "inspect", "--format={{json .Config}}", "rustbox-runner"))
    assert found["Healthcheck"]["Test"] == ["CMD", "python3", "-m", "sandbox_runtime", "healthy"]
    assert found["User"] == "rustbox"
