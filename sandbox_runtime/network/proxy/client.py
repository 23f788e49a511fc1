"""The runner's side of the egress proxy: it starts the process, and starts it again after its death."""

import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack

from sandbox_runtime.network.model import AllowedHost, Listener, NetworkError, NetworkEvidence
from sandbox_runtime.network.proxy import messages
from sandbox_runtime.network.proxy.proxy_process import CODE, ProxyProcess
from sandbox_runtime.network.proxy.settings import ProxySettings, new_memory, read_counts

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

    @property
    def pid(self) -> int | None:
        """Process id, None while there is no process."""
        process = self._process
        return None if process is None else process.pid

    def open_run(self, run_id: str, hosts: Sequence[AllowedHost], listeners: Sequence[Listener]) -> None:
        """Serve the listeners of a run. The caller keeps its descriptors and may close them. Raises NetworkError."""
        request = messages.OpenRequest.of(run_id, hosts, listeners).message()
        try:
            counts = new_memory()
        except OSError as error:
            raise NetworkError("open the network of a run", str(error)) from error
        with ExitStack() as stack:
            stack.callback(os.close, counts)
            with self._lock:
                if self._process is None or not self._process.is_alive():
                    self._end()
                    self._process = ProxyProcess(self._settings, self._code)
                answer = self._ask(request, [counts, *(listener.fd for listener in listeners)])
            if "error" in answer:
                raise NetworkError("open the network of a run", str(answer["error"])[:200])
            self._byte_counts[run_id] = counts
            stack.pop_all()

    def close_run(self, run_id: str) -> NetworkEvidence:
        """Close all sockets of a run, and tell what happened. Never raises: the evidence then has an error.

        A connection that is being made gets a second to succeed or to fail, and data on its way is sent.
        """
        counts = self._byte_counts.pop(run_id, None)
        try:
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
        """End the process."""
        with self._lock:
            self._end()

    def _ask(self, request: messages.Message, fds: Sequence[int] = ()) -> messages.Message:
        if self._process is None:
            raise NetworkError("talk to the egress proxy", _LOST)
        try:
            return self._process.ask(request, fds)
        except NetworkError:
            self._end()
            raise

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.close()
