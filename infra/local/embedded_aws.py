"""The embedded engine of this start: its folder, its hook in this process, and its socket for the runner."""

from __future__ import annotations

import fcntl
import os
import time
from functools import partial
from typing import IO, TYPE_CHECKING, Any, Final

from infra.embedded import services
from infra.embedded.confined.socket_server import CallSocket, Policy
from infra.embedded.confined.tunnel_server import most_engine_connections
from infra.embedded.engine import open_engine
from infra.embedded.services import Housekeeping
from infra.local.settings import ACCOUNT_ID, REGION, StartError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import boto3

    from infra.embedded.storage.store import Synchronous
    from infra.local.template import Template

# The variables by which every boto3 client of this process, and of the runner, finds its AWS.

_VARIABLES: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def prepare_for_engine() -> None:
    """Forget the user's credentials, region and endpoints: the engine answers all calls."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            del os.environ[name]
    for name, value in _VARIABLES.items():
        os.environ[name] = value


FOLDER: Final = "engine"
_RUNNER_POLICIES: Final = ("RunnerPolicy", "NetworkRunnerPolicy")
_OLD_STATE: Final = ("ministack.json", "ministack.log", "aws")
"""Files of development stacks that kept their state in ministack."""


class EmbeddedAws:
    """Make it before the first client. Raises StoreUnusableError."""

    def __init__(self, state_dir: Path, synchronous: Synchronous, *, prepare: bool = True) -> None:
        prepare_for_engine()
        self.engine = open_engine(state_dir / FOLDER, synchronous=synchronous, prepare=prepare)
        self._housekeeping = Housekeeping(self.engine)
        self._socket_path = state_dir / "runner.sock"
        self.remote_socket_path = state_dir / "remote-runners.sock"
        self.tokens_socket_path = state_dir / "runner-tokens.sock"
        self._sockets: list[CallSocket] = []

    def answer_clients(self) -> None:
        """Answer every AWS client that this process, and those forked from it, make from now on."""
        from infra.embedded.hook import Hook, share_descriptions  # noqa: PLC0415 - it takes longer than all before

        share_descriptions()
        Hook(partial(services.call, self.engine)).attach_everywhere()

    @property
    def runner_module(self) -> list[str]:
        return ["infra.embedded.confined.process", str(self._socket_path), "sandbox_runtime"]

    def start(self) -> None:
        """Serve the runners, and begin the housekeeping, in one process of the stack."""
        self._housekeeping.start()
        for opened in self._sockets:
            opened.start()

    def release_messages(self) -> None:
        """Return the messages of dead processes to their queues, before one of these is replaced."""
        self._housekeeping.release()

    def open_runner_socket(self, template: Template) -> None:
        """Bind the runner's socket under the template's policies of runners. Connections wait until `start`."""
        self._sockets.append(CallSocket(self._socket_path, self.engine, _runner_policy(template)))

    def open_remote_sockets(self, template: Template, on_gone: Callable[[str, str], None]) -> None:
        """Bind the sockets of the process that serves runners of other hosts: for their calls, and for their tokens."""
        policy, most = _runner_policy(template), most_engine_connections()
        calls = CallSocket(self.remote_socket_path, self.engine, policy, most_connections=most, on_gone=on_gone)
        self._sockets.append(calls)
        table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{template.values['RunnersTable']['Ref']}"
        reading = Policy([{"Effect": "Allow", "Action": ["dynamodb:GetItem"], "Resource": [table]}])
        self._sockets.append(CallSocket(self.tokens_socket_path, self.engine, reading))

    def stop(self) -> None:
        """Stop the housekeeping. Sockets and file stay open: runners and handlers may use them until the process ends.

        The launcher shares the sockets: connections wait there for the process that replaces this one.
        """
        self._housekeeping.stop()

    def close(self) -> None:
        """Remove the sockets, and put the log into the file, as the last process that uses the folder."""
        for opened in self._sockets:
            opened.close()
        self.engine.close()


def _runner_policy(template: Template) -> Policy:
    try:
        return Policy(runner_statements(template))
    except ValueError as error:
        raise StartError(f"{' or '.join(_RUNNER_POLICIES)} of template.yaml: {error}") from error


def runner_statements(template: Template) -> list[dict[str, Any]]:
    """Return the resolved statements of the policies of runners: the local one takes all runs."""
    policies = [template.resources[name]["Properties"]["PolicyDocument"] for name in _RUNNER_POLICIES]
    return [statement for policy in policies for statement in template.resolve(policy)["Statement"]]


def set_aside_old_state(state_dir: Path) -> Path | None:
    """Move the state of an older development stack into a folder of its own. Return that folder, None for no state."""
    found = [state_dir / name for name in _OLD_STATE if (state_dir / name).exists()]
    if not found:
        return None
    folder = state_dir / f"ministack-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir()
    for path in found:
        path.rename(folder / path.name)
    return folder


def lock_state(state_dir: Path) -> IO[str]:
    """Lock the state folder. The kernel releases the lock when this process ends."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise StartError(f"{state_dir} cannot be used ({error.strerror}): set RUSTBOX_STATE_DIR") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise StartError(
            f"already running on {state_dir} (pid {owner}): stop it, or set RUSTBOX_STATE_DIR and PORT"
        ) from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def session() -> boto3.Session:
    """Return a session of boto3, whose calls the engine answers."""
    import boto3  # noqa: PLC0415 - it takes longer than all before

    return boto3.Session(region_name=REGION)
