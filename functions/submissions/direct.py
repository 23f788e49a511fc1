"""The direct path: run a submission on a runner over HTTP while its client waits, then write its final state.

If a step fails, the same execution goes to the queue. The first recorded result counts.

A connection is kept alive for one execution after the other. `start` writes the request and `finish` reads the answer,
so the caller can do other work in between. A runner runs hostile code: its answer is limited in bytes and time, and
must name this execution.
"""

from __future__ import annotations

import base64
import http.client
import json
import math
import select
import ssl
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from events import MessageInvalidError
from events.completed import ExecutionCompleted
from events.judged import JudgeCompleted
from events.requested import JudgeRequested
from functions.aws.clients import SecretUnavailableError, secret
from functions.errors import UnavailableError
from functions.failpoint import reach
from functions.submissions.completion import Completer
from functions.submissions.model import Kind
from functions.submissions.queues import Queues
from functions.telemetry import warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from events.judged import Completed
    from events.requested import Requested
    from functions.env import Env
    from functions.submissions.model import Claim, Submission

CONNECT_SECS = 0.3
SEND_SECS = 26.0
"""Time for the request. The caller sets that of the answer."""
PAUSE_SECS = 2.0
"""Pause after a failed connection: a dead runner costs each request CONNECT_SECS."""
_KEPT_SECS = 60.0  # less than the runner keeps a connection
_MAX_KEPT = 64


class RunnerUnavailableError(Exception):
    """The runner gives no valid answer; use the queue. The text is for logs, without any message content."""


class RunnerConnections:
    """Connections to `url`, of one runner or of a load balancer, kept for reuse; over TLS if it is https.

    `authority` is called for each new https connection: PEM of the only certificate authorities to trust. None: those
    of the system. The certificate of a runner must be for the host of the URL.
    """

    def __init__(self, url: str, authority: Callable[[], str] | None) -> None:
        parts = urlsplit(url)
        self._is_tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._authority = authority
        self._tls: tuple[str | None, ssl.SSLContext] | None = None
        self._kept: deque[tuple[float, http.client.HTTPConnection]] = deque()
        self._paused_until = 0.0

    def take(self) -> http.client.HTTPConnection | None:
        """Take an idle connection; None if a new one is needed. Raises RunnerUnavailableError after a failed one."""
        if time.monotonic() < self._paused_until:
            raise RunnerUnavailableError(f"a connection failed in the last {PAUSE_SECS:g} s")
        while self._kept:
            try:
                kept_at, connection = self._kept.pop()
            except IndexError:  # another thread took the last one
                return None
            stream = connection.sock
            if stream is not None and time.monotonic() - kept_at < _KEPT_SECS and not is_readable(stream.fileno()):
                stream.settimeout(SEND_SECS)
                return connection
            connection.close()
        return None

    def connect(self) -> http.client.HTTPConnection:
        """Open a connection. Raises OSError, and then `take` raises for PAUSE_SECS."""
        connection = http.client.HTTPConnection(self._host, self._port, timeout=CONNECT_SECS)
        if self._is_tls:
            tls = self._tls_context()
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=CONNECT_SECS, context=tls)
        try:
            connection.connect()
        except OSError:
            connection.close()
            self._paused_until = time.monotonic() + PAUSE_SECS
            raise
        connection.sock.settimeout(SEND_SECS)
        return connection

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Keep a connection for reuse after its answer was read."""
        if connection.sock is not None and len(self._kept) < _MAX_KEPT:
            self._kept.append((time.monotonic(), connection))
        else:
            connection.close()

    def _tls_context(self) -> ssl.SSLContext:
        """Return the settings of a connection that checks chain and name; made again when the authority changes."""
        try:
            pem = None if self._authority is None else self._authority()
            if self._tls is None or self._tls[0] != pem:
                # An empty text would mean the system's authorities; a blank one is refused.
                self._tls = pem, ssl.create_default_context(cadata=None if pem is None else pem or " ")
        except SecretUnavailableError:
            raise RunnerUnavailableError("the certificate authority of the runners cannot be read") from None
        except (ssl.SSLError, ValueError):
            raise RunnerUnavailableError("the certificate authority is no PEM certificate") from None
        return self._tls[1]


def is_readable(descriptor: int, within_secs: float = 0) -> bool:
    """Return whether a connection has input or its end. On an idle connection either makes it unusable."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN | select.POLLRDHUP)
    return bool(poller.poll(1000 * within_secs))


ANSWER_SECS = 26.0
"""Leaves time to queue the submission within the client's wait of 28 s."""
MAX_ANSWER_BYTES = 1_048_576
CANCEL_SECS = 2.0
"""For the answer about a cancelled run, which comes at once."""
_MAX_CANCEL_BYTES = 1_024
_MAX_PART_BYTES = 262_144
NEVER_SLOW = math.inf
_OK = 200
_IDS = ("submission_id", "execution_id", "language")


class RunnerSlowError(RunnerUnavailableError):
    """The runner did not answer before the wait was over."""


@dataclass(slots=True)
class Call:
    """One request in progress. The caller must call `finish` or `abandon`."""

    _runner: RunnerClient
    _connection: http.client.HTTPConnection
    _message: Requested
    _correlation_id: str | None
    _is_reused: bool
    _deadline: float

    def finish(self, slow_after_secs: float = NEVER_SLOW, when_slow: Callable[[], None] = lambda: None) -> Completed:
        """Wait for the answer. Raises RunnerUnavailableError, and RunnerSlowError when the wait is over.

        Calls `when_slow` once if the answer does not begin within `slow_after_secs`, or if we cannot tell whether it
        does: on a new TLS connection, where session tickets look like an answer, and after a repeated request.
        """
        is_slow = slow_after_secs < NEVER_SLOW and not self._begins_within(slow_after_secs)
        if is_slow:
            when_slow()
        try:
            content = self._read_answer(None if is_slow else when_slow)
            self._runner.connections.keep(self._connection)
        except TimeoutError as error:
            self._connection.close()
            raise RunnerSlowError(_reason(error)) from None
        except (OSError, http.client.HTTPException, RunnerUnavailableError) as error:
            self._connection.close()
            raise RunnerUnavailableError(_reason(error)) from None
        try:
            kind = JudgeCompleted if isinstance(self._message, JudgeRequested) else ExecutionCompleted
            completed: Completed = kind.parse(content)
        except MessageInvalidError as error:
            raise RunnerUnavailableError(f"the answer is invalid: {error}") from None
        if any(getattr(completed, name) != getattr(self._message, name) for name in _IDS):
            raise RunnerUnavailableError("the answer is to another request")
        return completed

    def abandon(self) -> None:
        """Close the connection, and so tell the runner that nobody reads its answer."""
        self._connection.close()

    def _begins_within(self, secs: float) -> bool:
        connection = self._connection.sock
        if isinstance(connection, ssl.SSLSocket) and not self._is_reused:
            return False
        return is_readable(connection.fileno(), secs)

    def _read_answer(self, when_repeated: Callable[[], None] | None) -> bytes:
        self._limit_time()
        try:
            response = self._connection.getresponse()
        except ConnectionError:
            if not self._is_reused:
                raise
            # The runner closed the idle connection. A repeat is safe: a submission never runs twice at once.
            self._connection = self._runner.send(self._message, self._correlation_id, None)
            if when_repeated is not None:
                when_repeated()
            self._limit_time()
            response = self._connection.getresponse()
        length = response.length
        if length is None or length > MAX_ANSWER_BYTES:
            raise RunnerUnavailableError(f"the answer has no length, or more than {MAX_ANSWER_BYTES} bytes")
        parts = []
        while length > 0:
            self._limit_time()
            part = response.read1(length)
            if not part:
                raise RunnerUnavailableError("the answer ended early")
            parts.append(part)
            length -= len(part)
        response.close()
        if response.status != _OK:
            self._runner.connections.keep(self._connection)
            raise RunnerUnavailableError(f"the status is {response.status}")
        return b"".join(parts)

    def _limit_time(self) -> None:
        left_secs = self._deadline - time.monotonic()
        if left_secs <= 0:
            raise TimeoutError
        if self._connection.sock is not None:
            self._connection.sock.settimeout(left_secs)


class RunnerClient:
    """`url`, `authority`: see `RunnerConnections`. `token` is called for each request."""

    def __init__(self, url: str, token: Callable[[], str], authority: Callable[[], str] | None = None) -> None:
        self._path = urlsplit(url).path.rstrip("/") + "/v1"
        self._token = token
        self.connections = RunnerConnections(url, authority)

    def start(self, message: Requested, correlation_id: str | None = None, wait_secs: float = ANSWER_SECS) -> Call:
        """Send the request. Its answer may take `wait_secs`, at most ANSWER_SECS. Raises RunnerUnavailableError."""
        begun = time.monotonic()
        kept = self.connections.take()
        try:
            connection = self.send(message, correlation_id, kept)
        except (OSError, http.client.HTTPException) as error:
            raise RunnerUnavailableError(_reason(error)) from None
        return Call(self, connection, message, correlation_id, connection is kept, begun + min(wait_secs, ANSWER_SECS))

    def send(
        self, message: Requested, correlation_id: str | None, kept: http.client.HTTPConnection | None
    ) -> http.client.HTTPConnection:
        """Send on the idle connection, or on a new one. Raises OSError, HTTPException."""
        body = message.serialise().encode()
        headers = self._headers() | {"Content-Type": "application/json"}
        if correlation_id is not None:
            headers["X-Request-Id"] = correlation_id
        if kept is not None:
            try:
                kept.request("POST", f"{self._path}/execute", body, headers)
            except OSError:
                kept.close()
            else:
                return kept
        connection = self.connections.connect()
        try:
            connection.request("POST", f"{self._path}/execute", body, headers)
        except OSError:
            connection.close()
            raise
        return connection

    def cancel(self, submission_id: str) -> bool:
        """Stop a submission there. False: it does not run there, and will not begin. Raises RunnerUnavailableError."""
        return bool(self._post("cancel", submission_id.encode(), CANCEL_SECS, _MAX_CANCEL_BYTES) == {"ran": True})

    def read_output(
        self, submission_id: str, stream: str, after: int, wait_secs: float, *, has_begun: bool
    ) -> tuple[bytes, bool, str]:
        """Return output of a program that runs there, from the offset `after`, once there is any.

        `has_begun`: do not wait for its start. The flag: whether its run is there, or has ended there. The text: its
        execution, if the runner names it. Raises RunnerUnavailableError.
        """
        asked = {"submission_id": submission_id, "stream": stream, "after": after, "wait_secs": wait_secs}
        asked |= {"has_begun": has_begun}
        answer = self._post("output", json.dumps(asked).encode(), wait_secs + CANCEL_SECS, _MAX_PART_BYTES)
        try:
            execution = str(answer.get("execution") or "")
            return base64.b64decode(answer["base64"], validate=True), answer["state"] != "absent", execution
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RunnerUnavailableError("the answer has no output") from None

    def _post(self, name: str, body: bytes, secs: float, most_bytes: int) -> Any:
        """Send a small request, and return the JSON of its answer. Raises RunnerUnavailableError."""
        try:
            kept = self.connections.take()
            if kept is not None:
                try:
                    return self._post_on(kept, name, body, secs, most_bytes)
                except ConnectionError:  # the runner closed the idle connection
                    kept.close()
            return self._post_on(self.connections.connect(), name, body, secs, most_bytes)
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            raise RunnerUnavailableError(_reason(error)) from None

    def _post_on(
        self, connection: http.client.HTTPConnection, name: str, body: bytes, secs: float, most_bytes: int
    ) -> Any:
        connection.sock.settimeout(secs)
        try:
            connection.request("POST", f"{self._path}/{name}", body, self._headers())
            response = connection.getresponse()
            content = response.read(most_bytes)
            response.close()
        except OSError:
            connection.close()
            raise
        if response.status != _OK:
            connection.close()
            raise RunnerUnavailableError(f"the status is {response.status}")
        self.connections.keep(connection)
        return json.loads(content)

    def _headers(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token()}"}
        except SecretUnavailableError:
            raise RunnerUnavailableError("the token of the runners cannot be read") from None


def _reason(error: Exception) -> str:
    if isinstance(error, RunnerUnavailableError):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate refused: {error.verify_message}"
    return type(error).__name__


def runner_client(env: Env) -> RunnerClient | None:
    """Return the client of the runner, or of the load balancer, that RUNNER_URL names; None without one."""
    return _client(env, env.settings.runner_url)


def _client(env: Env, url: str) -> RunnerClient | None:
    settings = env.settings
    authority = partial(secret, settings.runner_ca_parameter) if settings.runner_ca_parameter else None
    return RunnerClient(url, partial(secret, settings.runner_token_parameter), authority) if url else None


@dataclass(frozen=True, slots=True)
class DirectRunners:
    """`network_runner`: for runs with network. None: such runs go through a queue."""

    runner: RunnerClient | None
    network_runner: RunnerClient | None

    @classmethod
    def from_env(cls, env: Env) -> Self:
        runner, url = env[runner_client], env.settings.network_runner_url
        if runner is None or url == env.settings.runner_url:
            return cls(runner, runner)
        return cls(runner, _client(env, url))

    def of(self, submission: Submission) -> RunnerClient | None:
        """Return the runner, or the load balancer of several, that a submission is sent to."""
        return self.network_runner if submission.needs_network else self.runner


class DirectRun:
    """Runs submissions directly."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._runners = env[DirectRunners]
        self._completer = env[Completer]

    def start(self, submission: Submission, message: Requested, wait_secs: float) -> Call | None:
        """Send the execution to a runner. None if no runner accepts it. `wait_secs`: how long for its answer."""
        runner = self._runners.of(submission)
        if runner is None:
            return None
        try:
            return runner.start(message, submission.correlation_id, wait_secs)
        except RunnerUnavailableError as unavailable:
            self._warn(submission, "Runner not called directly; the submission is queued", unavailable)
            return None

    def finish(
        self,
        call: Call,
        submission: Submission,
        slow_after_secs: float = NEVER_SLOW,
        when_slow: Callable[[], None] = lambda: None,
    ) -> Completed | None:
        """Wait for the runner's answer. None if there is no valid one. `when_slow`: see `Call.finish`.

        Raises RunnerSlowError if a judge run is still under way when the wait is over.
        """
        try:
            completed = call.finish(slow_after_secs, when_slow)
        except RunnerUnavailableError as unavailable:
            if isinstance(unavailable, RunnerSlowError) and submission.kind is Kind.JUDGE:
                raise
            self._warn(submission, "Runner did not answer directly; the submission is queued", unavailable)
            return None
        reach("submit.after_answer")
        return completed

    def record_new(self, completed: Completed, submission: Submission, claim: Claim | None) -> Submission:
        """Write the final row of a submission without a row. Raises ClaimTakenError and the errors of the tables."""
        ended = self._completer.complete_new(submission, self._completer.completion(completed, submission), claim)
        self._completer.send(ended.hints)
        return ended.submission

    def record(self, completed: Completed, submission: Submission) -> Submission | None:
        """Write the final state into the pending row. None if the queue must run it again."""
        try:
            ended = self._completer.complete(submission, self._completer.completion(completed, submission))
        except MessageInvalidError as error:
            self._warn(submission, "Direct result does not fit its request; the submission is queued", error)
            return None
        except (ClientError, BotoCoreError, UnavailableError) as error:
            self._warn(submission, "Direct result not recorded; the completions queue gets it", error)
            return submission if self._send_completion(completed, submission) else None
        if ended is None:  # a run from the queue was first, or the row was deleted: the caller reads the row
            return submission
        self._completer.send(ended.hints)
        return ended.submission

    def _send_completion(self, completed: Completed, submission: Submission) -> bool:
        try:
            self._env[Queues].send_completion(self._env.settings.completions_queue_url, completed)
        except (ClientError, BotoCoreError) as error:
            self._warn(submission, "Completion not sent; the submission is queued", error)
            return False
        reach("submit.after_hand_over")
        return True

    def _warn(self, submission: Submission, phrase: str, error: Exception) -> None:
        problem = str(error) if isinstance(error, RunnerUnavailableError) else None
        warn(self._env.log, phrase, submission.log_ids, error, problem)


def direct_run(env: Env) -> DirectRun | None:
    """Return the part that runs submissions directly; None where the settings name no runner."""
    return None if env[DirectRunners].runner is None else env[DirectRun]
