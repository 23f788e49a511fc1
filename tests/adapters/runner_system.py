"""One worker over the engine's queues, with recorded outcomes in place of the jail."""

import hashlib
import http.client
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

from events.requested import ExecutionRequested, JudgeRequested, Requested
from functions.aws.payloads import Payloads
from sandbox_runtime.executor import NO_CACHE, CompileCache
from sandbox_runtime.jail import CONTROLS, HostSupport
from sandbox_runtime.jail.spec import JailSpec, Outcome
from sandbox_runtime.languages import LANGUAGES
from sandbox_runtime.server import bind, server_context
from sandbox_runtime.settings import WorkerSettings, worker_settings
from sandbox_runtime.transport import Clients, Transport, connect
from sandbox_runtime.worker import FileCache, InteractorSlots, ManagedSlot, RunnerFacts, Worker
from tests.adapters.aws_account import Aws
from tests.runner_doubles import RecordedNetworks, RecordedSlot, requested
from tests.until import PATIENCE_SECS, until

SUPPORT = HostSupport("cgroup_v2", CONTROLS)
# All but one: a submission may ask for a language that this runner lacks.
OFFERED = {language.name: language for language in LANGUAGES if language.name != "rust"}
TOKEN = "token-of-a-test-" * 3


class HeldSlot(RecordedSlot):
    """A slot whose programs end when the test says so."""

    def __init__(self, *answers: Outcome) -> None:
        super().__init__(*answers)
        self.begun, self.may_end = Event(), Event()

    def answer(self, spec: JailSpec, *, cancel_fd: int | None = None) -> Outcome:
        self.begun.set()
        self.may_end.wait(PATIENCE_SECS)
        return super().answer(spec, cancel_fd=cancel_fd)


class ShortPolls:
    """A client whose long polls end when the worker stops, so that no test waits for the end of one."""

    def __init__(self, client: Any, is_stopping: Callable[[], bool]) -> None:
        self._client, self._is_stopping = client, is_stopping

    def receive_message(self, *, WaitTimeSeconds: int, **params: Any) -> Any:  # noqa: N803 - boto3's name
        end = monotonic() + WaitTimeSeconds
        while not (answer := self._client.receive_message(WaitTimeSeconds=0, **params)).get("Messages"):
            if self._is_stopping() or monotonic() >= end:
                break
            sleep(0.02)
        return answer


class System:
    """One worker on one account; remembers what the completions queue brought."""

    def __init__(self, aws: Aws, liveness_file: Path) -> None:
        self.aws = aws
        self.liveness_file = liveness_file
        self.slots: list[RecordedSlot] = []
        self.sent: list[dict[str, Any]] = []
        self.compile_cache: CompileCache = NO_CACHE
        self.has_files = False
        self.network_support, self.networks = False, RecordedNetworks()
        self.wrap: Callable[[Clients], Clients] = lambda clients: clients
        self.port = 0
        self.worker: Worker
        self._thread: Thread | None = None

    def settings(self, **changes: str) -> WorkerSettings:
        queues = ("INTERACTIVE", "BATCH", "NETWORK", "COMPLETIONS")
        urls = {f"{name}_QUEUE_URL": self.aws.names[f"{name.title()}Queue"] for name in queues}
        payloads = {"PAYLOADS_BUCKET": self.aws.names["PayloadsBucket"]}
        needed = {**urls, **payloads, "LIVENESS_FILE": str(self.liveness_file)}
        return worker_settings({**needed, "RECEIVE_WAIT_SECS": "1", "NODE_ID": "node", **changes})

    def transport(self, settings: WorkerSettings) -> Transport:
        clients = self.wrap(connect(slots=settings.slots, receive_wait_secs=1))
        receiving: Any = ShortPolls(clients.receiving, self._is_stopping)
        return Transport(
            replace(clients, receiving=receiving),
            completions_queue_url=settings.completions_queue_url,
            bucket=settings.payloads_bucket,
            visibility_secs=settings.visibility_secs,
        )

    @property
    def payloads(self) -> Payloads:
        """The bucket as the functions use it."""
        return Payloads(self.aws.names["PayloadsBucket"], lambda: self.aws.client("s3"))

    def start(
        self, make_slot: Callable[[], RecordedSlot], *, slots: int = 1, spare_slots: int = 0, **changes: str
    ) -> None:
        def opener(_index: int) -> Any:
            self.slots.append(make_slot())
            return self.slots[-1]

        settings = self.settings(SLOTS=str(slots), **changes)
        facts = RunnerFacts(OFFERED, {"c": "gcc 1"}, SUPPORT, self.network_support)
        managed_slots = [ManagedSlot(index, opener) for index in range(slots + spare_slots)]
        # Any free port: one that was looked for before could be another process's by now.
        listener = None if settings.listen is None else bind(settings.listen[0], 0)
        if listener is not None:
            self.port = listener.getsockname()[1]
        tls = None
        if settings.tls_cert_file:
            tls = server_context(settings.tls_cert_file, settings.tls_key_file)
        transport = self.transport(settings)
        interactors = InteractorSlots(opener)
        networks = self.networks if self.network_support else None
        self.worker = Worker(
            settings,
            transport,
            managed_slots,
            facts,
            interactors,
            self.compile_cache,
            listener,
            tls,
            networks,
            FileCache(str(self.liveness_file.parent), 2 << 30, transport.read_file) if self.has_files else None,
        )
        self._thread = Thread(target=self.worker.run)
        self._thread.start()

    def _is_stopping(self) -> bool:
        return hasattr(self, "worker") and self.worker._stopping.is_set()

    def stop(self) -> None:
        if self._thread is not None:
            self.worker.drain()
            self._thread.join(PATIENCE_SECS)
            assert not self._thread.is_alive()
            assert all(slot.is_closed for slot in self.slots)

    def request(self, queue: str = "InteractiveQueue", **fields: Any) -> ExecutionRequested:
        request = requested(**fields)
        self.put(request.serialise(), queue)
        return request

    def judge(self, request: JudgeRequested, queue: str = "InteractiveQueue") -> JudgeRequested:
        self.put(request.serialise(), queue)
        return request

    def put(self, body: str, queue: str = "InteractiveQueue") -> None:
        self.aws.client("sqs").send_message(QueueUrl=self.aws.names[queue], MessageBody=body)

    def put_control(self, text: bytes) -> None:
        """Write the control object of this runner."""
        key = f"control/{hashlib.sha256(b'node').hexdigest()[:32]}"
        self.aws.client("s3").put_object(Bucket=self.aws.names["PayloadsBucket"], Key=key, Body=text)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        self.sent += self.aws.messages("CompletionsQueue")
        return [message for message in self.sent if message["type"] == kind]

    def completion(self, request: Requested) -> dict[str, Any]:
        kind = "judge_completed" if isinstance(request, JudgeRequested) else "execution_completed"

        def found() -> list[dict[str, Any]]:
            completed = self.of_type(kind)
            return [message for message in completed if message["submission_id"] == request.submission_id]

        (only,) = until(found)
        completed: dict[str, Any] = only
        return completed

    def counts(self, queue: str = "InteractiveQueue") -> tuple[int, int]:
        """Messages in a queue: visible, received."""
        url = self.aws.names[queue]
        found = self.aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])

    def is_empty(self, queue: str = "InteractiveQueue") -> bool:
        return self.counts(queue) == (0, 0)


class Direct(System):
    """A worker that listens."""

    def __init__(self, aws: Aws, liveness_file: Path) -> None:
        super().__init__(aws, liveness_file)
        self.clients: list[http.client.HTTPConnection] = []

    def start(self, *arguments: Any, **changes: Any) -> None:
        """Start the worker, and wait until its first heartbeat was accepted."""
        self.start_only(*arguments, **changes)
        until(lambda: self.worker._reports.health.works)

    def start_only(self, *arguments: Any, **changes: Any) -> None:
        listens = {"LISTEN_ADDRESS": "127.0.0.1:8080", "RUNNER_TOKEN": TOKEN, "ALLOW_HTTP": "true"}
        super().start(*arguments, **(listens | changes))

    def send(self, body: str) -> http.client.HTTPConnection:
        """Begin a request."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECS)
        self.clients.append(client)
        client.request("POST", "/v1/execute", body.encode(), {"Authorization": f"Bearer {TOKEN}"})
        return client

    def run_held(self) -> tuple[HeldSlot, ExecutionRequested, http.client.HTTPConnection]:
        """Start with one slot, and return it with the request that runs there and its client."""
        slot, request = HeldSlot(), requested()
        self.start(lambda: slot)
        client = self.send(request.serialise())
        assert slot.begun.wait(PATIENCE_SECS)
        return slot, request, client

    def close(self) -> None:
        """Close the clients' connections, then stop the worker."""
        for client in self.clients:
            client.close()
        self.stop()

    def ask(self, request: Requested | str) -> tuple[int, Any]:
        client = self.send(request if isinstance(request, str) else request.serialise())
        response = client.getresponse()
        return response.status, json.loads(response.read())


def comparable(completed: dict[str, Any]) -> dict[str, Any]:
    """Without ids and times."""
    left = {"submission_id", "execution_id", "started_at", "completed_at"}
    metrics = {name: value for name, value in completed["metrics"].items() if name != "queue_ms"}
    return {**{name: value for name, value in completed.items() if name not in left}, "metrics": metrics}
