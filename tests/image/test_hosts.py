"""The files of infra/runner as a host uses them: compose with a Docker engine, and the unit's commands in a chroot.

Needs the image `rustbox-runner` and a Docker engine: `infra/image/test.sh` brings both.
"""

import configparser
import http.client
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from events.files import PlacedFile, StoredFile
from events.requested import ExecutionRequested
from functions.submissions.runners.store import ControlObjects
from tests.emulator import Emulator, emulator
from tests.large_run import CODE, ENDLESS_CODE, INPUT_BYTES, LargeRun
from tests.runner_doubles import requested
from tests.system.local_stack import free_port
from tests.until import until

HOST = Path(__file__).parents[2] / "infra" / "runner"
PATIENCE_SECS = 180
BUCKET = "payloads"
TOKEN = "token-of-a-test-" * 3
ACCESS = {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
pytestmark = pytest.mark.timeout(600)


class Stage:
    """Queues and bucket of a stage on an emulator, and the file that `make deploy` would write for its runners."""

    def __init__(self, server: Emulator, folder: Path) -> None:
        self.sqs, self.s3 = (self._client(server, service) for service in ("sqs", "s3"))
        region = ACCESS["AWS_DEFAULT_REGION"]
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        names = ("INTERACTIVE", "BATCH", "COMPLETIONS")
        self.urls = {name: self.sqs.create_queue(QueueName=name.lower())["QueueUrl"] for name in names}
        self.completions: list[dict[str, Any]] = []
        self.port = free_port()
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        self.variables = {
            **ACCESS,
            **{f"{name}_QUEUE_URL": url for name, url in self.urls.items()},
            "AWS_ENDPOINT_URL": server.url,
            "PAYLOADS_BUCKET": BUCKET,
            "HEARTBEAT_SECS": "1",
            "SLOTS": "1",
            "SETUP_TIMEOUT_SECS": "120",  # other stages run beside this one
            "DRAIN_SECS": "5",
            "LISTEN_ADDRESS": f"127.0.0.1:{self.port}",
            "ALLOW_HTTP": "true",
        }
        self.file = folder / "runner.env"
        self.file.write_text("".join(f"{name}={text}\n" for name, text in self.variables.items()))

    @staticmethod
    def _client(server: Emulator, service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # the stubs want a literal name
            service,
            endpoint_url=server.url,
            region_name=ACCESS["AWS_DEFAULT_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def message(self, kind: str, request: ExecutionRequested) -> dict[str, Any]:
        """Wait for a runner's message about a submission."""

        def found() -> dict[str, Any]:
            received = self.sqs.receive_message(QueueUrl=self.urls["COMPLETIONS"], MaxNumberOfMessages=10)
            self.completions += [json.loads(message["Body"]) for message in received.get("Messages", [])]
            of_submission = (each for each in self.completions if each.get("submission_id") == request.submission_id)
            return next((each for each in of_submission if each["type"] == kind), {})

        return until(found, patience_secs=PATIENCE_SECS)

    def send(self, **fields: Any) -> ExecutionRequested:
        """Send a submission to the interactive queue."""
        request = requested(**fields)
        self.sqs.send_message(QueueUrl=self.urls["INTERACTIVE"], MessageBody=request.serialise())
        return request

    def run(self) -> str:
        """Send a submission and return its verdict."""
        return str(self.message("execution_completed", self.send())["result"]["verdict"])

    def object(self, key: str) -> bytes:
        """Return an object that a runner has stored."""
        content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def assert_large_runs(self) -> None:
        """The runner reads a file from the bucket, and stores output and artifact there. A cancelled run ends."""
        for input_bytes in INPUT_BYTES:
            run = LargeRun(input_bytes)
            stored = StoredFile(f"files/dev/{run.sha256}", len(run.data), run.sha256)
            self.s3.put_object(Bucket=BUCKET, Key=stored.key, Body=run.data)
            files = (PlacedFile("data.bin", read_only=True, stored=stored),)
            request = self.send(code=CODE.encode(), stdin=run.stdin.encode(), files=files, artifacts=("kept.bin",))
            completed = self.message("execution_completed", request)
            assert completed["result"]["verdict"] == "AC", completed
            assert self.object(completed["stdout"]["object_key"]).decode() == run.stdout
            (kept,) = completed["artifacts"]
            assert (kept["path"], self.object(kept["key"])) == ("kept.bin", run.kept)

        request = self.send(code=ENDLESS_CODE.encode(), profile="agent")
        node_id = self.message("execution_started", request)["node_id"]
        ControlObjects(BUCKET, lambda: self.s3).cancel(node_id, request.submission_id)
        completed = self.message("execution_completed", request)
        assert completed["result"]["cause"] == "cancelled", completed

    def health(self) -> int:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            client.request("GET", "/healthz")
            return client.getresponse().status
        except OSError:
            return 0
        finally:
            client.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with emulator(tmp_path) as server:
        yield Stage(server, tmp_path)


def _docker(*arguments: str, **variables: str) -> str:
    done = subprocess.run(
        ["/usr/bin/docker", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECS,
    )
    assert done.returncode == 0, done.stderr
    return (done.stdout + done.stderr).strip() if "logs" in arguments else done.stdout.strip()


def test_compose_starts_a_runner_after_its_doctor_restarts_and_drains_it(stage: Stage, tmp_path: Path) -> None:
    override = tmp_path / "override.yaml"  # the engine of these tests has no bridge
    override.write_text("services: {runner: {network_mode: host}}\n")
    files = [f"--file={HOST / 'compose.yaml'}", f"--file={override}", f"--project-name=rustbox-{os.getpid()}"]

    def compose(*arguments: str) -> str:
        return _docker("compose", *files, *arguments, RUNNER_ENV=str(stage.file), RUNNER_TOKEN_FILE=str(stage.token))

    def state(field: str) -> str:
        return _docker("inspect", f"--format={{{{.{field}}}}}", "rustbox-runner")

    try:
        compose("up", "--detach", "--no-build")
        assert "mode                                          strict" in compose("logs", "doctor")
        assert stage.run() == "AC"
        stage.assert_large_runs()
        assert stage.health() == 200
        until(lambda: state("State.Health.Status") == "healthy", patience_secs=PATIENCE_SECS)
        assert TOKEN not in _docker("inspect", "rustbox-runner")

        os.kill(int(state("State.Pid")), signal.SIGKILL)
        until(lambda: state("RestartCount") == "1")
        assert stage.run() == "AC"

        compose("stop", "runner")
        assert state("State.ExitCode") == "0"
        assert '"worker stopped"' in compose("logs", "runner")
        # The grace period is longer than the drain and what follows it.
        assert int(state("Config.StopTimeout")) == 75
    finally:
        compose("down")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A host without Docker, as the head of the unit describes it: here from the image's files."""
    folder = tmp_path / "root"
    folder.mkdir()
    name = _docker("create", "rustbox-runner")
    try:
        with subprocess.Popen(["/usr/bin/docker", "export", name], stdout=subprocess.PIPE) as export:
            subprocess.run(["/usr/bin/tar", "--extract", "--directory", folder], stdin=export.stdout, check=True)
        assert export.returncode == 0
    finally:
        _docker("rm", name)
    (folder / "usr/lib/python3/dist-packages/rustbox.pth").write_text("/opt/rustbox/site\n")
    (folder / "etc/rustbox").mkdir(exist_ok=True)
    yield folder
    _remove_groups()
    subprocess.run(["/usr/bin/rm", "-rf", "--one-file-system", folder], check=True)


def _unit() -> dict[str, list[str]]:
    """Values of each key of the unit's service."""
    found: dict[str, list[str]] = {}
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(HOST / "rustbox-runner.service")
    for name, text in parser["Service"].items():
        found[name] = text.split()
    return found


# In a group of its own, as systemd starts a unit with `Delegate=yes`: without DAC_OVERRIDE root may not write the top.
_IN_ROOT = """
set -e
for top in $(awk '$3 ~ /^cgroup/ {print $2}' /proc/mounts); do
    [ ! -e "$top/cgroup.procs" ] || { mkdir -p "$top/rustbox-unit"; echo $$ >"$top/rustbox-unit/cgroup.procs" || true; }
done
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
mount --rbind /sys/fs/cgroup "$0/sys/fs/cgroup"
mount -t tmpfs tmpfs "$0/run"
mount -t tmpfs tmpfs "$0/tmp"
exec chroot "$0" "$@"
"""


def _remove_groups() -> None:
    for top in Path("/sys/fs/cgroup").glob("**/rustbox-unit"):
        top.rmdir()


def _as_the_unit(root: Path, command: list[str], variables: dict[str, str]) -> list[str]:
    """The command with the unit's environment and privileges, in the chroot."""
    unit = _unit()
    capabilities = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in unit["CapabilityBoundingSet"])
    environment = [*unit["Environment"], *(f"{name}={text}" for name, text in variables.items())]
    assert unit["NoNewPrivileges"] == ["yes"]
    inside = ["setpriv", "--no-new-privs", f"--bounding-set=-all,{capabilities}", "env", "-i", *environment, *command]
    return ["/usr/bin/unshare", "--mount", "--propagation=private", "/bin/sh", "-c", _IN_ROOT, str(root), *inside]


def test_the_commands_of_the_unit_run_on_a_host_without_docker(stage: Stage, root: Path) -> None:
    unit = _unit()
    (root / "sys/fs/cgroup").mkdir(parents=True, exist_ok=True)
    program, *arguments = unit["ExecStartPre"]
    doctor = subprocess.run(
        _as_the_unit(root, [program.removeprefix("-"), *arguments], {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECS,
    )
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    (root / "etc/rustbox/runner-token").write_text(TOKEN)
    variables = {**stage.variables, "RUNNER_TOKEN_FILE": "/etc/rustbox/runner-token"}
    worker = subprocess.Popen(_as_the_unit(root, unit["ExecStart"], variables), stderr=subprocess.PIPE, text=True)
    try:
        assert stage.run() == "AC"
        assert stage.health() == 200
    finally:
        worker.send_signal(signal.SIGTERM)  # KillMode=mixed: the worker alone gets it
        _, log = worker.communicate(timeout=PATIENCE_SECS)
    assert worker.returncode == 0, log
    assert '"worker stopped"' in log
