"""The runner's side of the egress proxy: it starts the process, talks to it, and starts it again after its death."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

from sandbox_runtime.jail.controls.identity import proxy_uid
from sandbox_runtime.network.confinement import Message
from sandbox_runtime.network.helper_process import HelperProcess
from sandbox_runtime.network.model import AllowedHost, Listener, NetworkError, NetworkEvidence
from sandbox_runtime.network.proxy import messages
from sandbox_runtime.network.proxy.settings import ProxySettings, new_memory, read_counts

# One process of the egress proxy.

CODE = "from sandbox_runtime.network.proxy.process.server import main; main(CONTROL_FD)"
_OWN_BYTES = 64 << 20
# The four buffers of a connection, and what the process keeps of each direction. All runs share one limit. If it were
# below the sum of theirs, runs that fill their buffers would take the memory of those that look up a name.
_SOCKET_BYTES, _PENDING_BYTES = 1 << 20, 128 << 10
_CONNECTIONS_OF_NAME_SERVICE = 4


class ProxyProcess(HelperProcess):
    """Owns the process. Raises NetworkError. `code`: see `HelperProcess`."""

    def __init__(self, settings: ProxySettings, code: str) -> None:
        memory_bytes, socket_bytes = memory_limits(settings)
        super().__init__(
            "egress proxy",
            code,
            lambda entry_fds: messages.settings_message(settings, proxy_uid(), entry_fds),
            memory_bytes,
            socket_bytes,
        )


def memory_limits(settings: ProxySettings) -> tuple[int, int]:
    """Return the limits of all memory and of the sockets. cgroup v2 counts these as memory."""
    connections = settings.runs * (settings.limits.open_connections + _CONNECTIONS_OF_NAME_SERVICE)
    socket_bytes = connections * _SOCKET_BYTES
    return _OWN_BYTES + socket_bytes + connections * _PENDING_BYTES, socket_bytes


# How long the end of a run waits for connections that are being made: their outcome belongs to the evidence.
_SETTLE_SECS, _SETTLE_POLL_SECS = 1.0, 0.005
_LOST = "the egress proxy ended during the run"

_LOG = logging.getLogger(__name__)


class EgressProxy:
    """Owns the process. All methods may be called by several threads.

    `code`: what the process executes; only tests change it. CONTROL_FD is the number of its control descriptor.
    """

    def __init__(self, settings: ProxySettings, code: str = CODE) -> None:
        self._settings, self._code = settings, code
        self._lock = threading.Lock()
        self._process: ProxyProcess | None = None
        self._byte_counts: dict[str, int] = {}  # descriptors, by run
        self._unanswered: str | None = None  # the last run, until the next request reads the answer of its opening
        self._refusals: dict[str, NetworkError] = {}  # by run

    @property
    def pid(self) -> int | None:
        process = self._process
        return None if process is None else process.pid

    def open_run(
        self,
        run_id: str,
        hosts: Sequence[AllowedHost],
        listeners: Sequence[Listener],
        aliases: Sequence[messages.Alias] = (),
        handover: int | None = None,
    ) -> None:
        """Serve the listeners of a run. The caller keeps its descriptors and may close them. Raises NetworkError.

        It does not wait for the answer. Until the process serves the run, connections wait in the kernel, and nothing
        leaves. `close_run` raises the error of a process that refuses, does not answer, or dies before it serves.
        `handover`: the descriptor on which the relay of the run takes connections to the `aliases`.
        """
        request = messages.OpenRequest.of(run_id, hosts, listeners, aliases).message()
        try:
            counts = new_memory()
        except OSError as error:
            raise NetworkError("open the network of a run", str(error)) from error
        fds = [counts, *([] if handover is None else [handover]), *(listener.fd for listener in listeners)]
        with ExitStack() as stack, self._lock:
            stack.callback(os.close, counts)
            if run_id in self._byte_counts:
                raise NetworkError("open the network of a run", "this run is open")
            self._read_opening()
            if self._process is None or not self._process.is_alive():
                self._end()
                self._process = ProxyProcess(self._settings, self._code)
            try:
                self._process.tell(request, fds)
            except NetworkError:
                self._end()
                raise
            self._unanswered = run_id
            self._byte_counts[run_id] = counts
            stack.pop_all()

    def close_run(self, run_id: str) -> NetworkEvidence:
        """Close all sockets of a run, and tell what happened. After a failure the evidence has an error.

        A connection that is being made gets a second to succeed or to fail, and data on its way is sent. Raises
        NetworkError if the process never served the run: its program had no network.
        """
        counts = self._byte_counts.pop(run_id, None)
        try:
            with self._lock:
                self._read_opening()
                refusal = self._refusals.pop(run_id, None)
            if refusal is not None:
                raise refusal
            evidence = self._closed(run_id)
            if evidence is None:
                sent, received = (0, 0) if counts is None else read_counts(counts)
                evidence = NetworkEvidence(bytes_sent=sent, bytes_received=received, error=_LOST)
            if evidence.error:
                problem = f"{evidence.error}: {evidence.cause}" if evidence.cause else evidence.error
                _LOG.error("egress proxy failed a run", extra={"execution_id": run_id, "problem": problem})
            return evidence
        finally:
            if counts is not None:
                os.close(counts)

    def _closed(self, run_id: str) -> NetworkEvidence | None:
        """Close a run. None: the process has died, or does not come to an end with it."""
        give_up_at = time.monotonic() + _SETTLE_SECS
        while True:
            is_last = time.monotonic() >= give_up_at
            try:
                with self._lock:
                    answer = self._ask({"kind": "close", "run": run_id, "now": is_last})
                if "pending" not in answer:
                    return messages.evidence_from(answer)
            except NetworkError:
                return None
            if is_last:
                return None
            time.sleep(_SETTLE_POLL_SECS)

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask(self, request: Message) -> Message:
        self._read_opening()
        if self._process is None:
            raise NetworkError("talk to the egress proxy", _LOST)
        try:
            return self._process.ask(request)
        except NetworkError:
            self._end()
            raise

    def _read_opening(self) -> None:
        """Read the answer to the last opening, unless it was read. Without one the process never served the run."""
        run_id, self._unanswered = self._unanswered, None
        if run_id is None or self._process is None:
            return
        try:
            answer = self._process.answer()
        except NetworkError as error:
            self._refusals[run_id] = error
            self._end()
        else:
            if "error" in answer:
                self._refusals[run_id] = NetworkError("open the network of a run", str(answer["error"])[:200])

    def _end(self) -> None:
        process, self._process = self._process, None
        self._unanswered = None
        if process is not None:
            process.close()
