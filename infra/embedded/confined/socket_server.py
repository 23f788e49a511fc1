"""Serves a confined process the calls of its policy on a Unix socket. That process has neither the file nor the keys.

Messages that it receives belong to its process: they return at once when that dies. A process that calls for clients of
its own names the client in each request. It releases the messages of a client that is gone.
"""

import re
import socket
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO, Final

from infra.embedded import services
from infra.embedded.confined.protocol import receive, send
from infra.embedded.engine import ACCOUNT_ID, REGION, Engine, identify
from infra.embedded.errors import Answer, Params, ServiceError
from infra.embedded.sockets import FolderListener
from infra.embedded.sqs_queues import name_of
from infra.embedded.sqs_receiving import release_all

# The rights of a confined process in the engine: the statements of its policy, and nothing else.


class Policy:
    """Pairs of an action and a pattern of resources, both of an Allow."""

    def __init__(self, statements: Iterable[Mapping[str, Any]]) -> None:
        """Read resolved statements. Raises ValueError for one that says more than Allow, Action and Resource.

        Only actions of KMS may have a condition, and each has one: it is about the encryption context.
        """
        self._allowed: list[tuple[str, re.Pattern[str]]] = []
        self._contexts: list[tuple[str, Mapping[str, str]]] = []
        for statement in statements:
            if statement.get("Effect") == "Allow" and statement.keys() == {"Effect", "Action", "Resource", "Condition"}:
                self._contexts += _contexts(statement)
                continue
            if statement.keys() != {"Effect", "Action", "Resource"} or statement["Effect"] != "Allow":
                raise ValueError(f"only Allow with Action and Resource is understood; got {statement}")
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    pattern = ".*".join(re.escape(part) for part in resource.split("*"))
                    self._allowed.append((action, re.compile(pattern, re.DOTALL)))

    def allows(self, service: str, operation: str, params: Params) -> bool:
        """Tell whether a call is allowed. A batch needs the permission of the single operation, as on AWS."""
        if service == "kms":
            given = params.get("EncryptionContext", {})
            allowed = [needed for action, needed in self._contexts if action == f"kms:{operation}"]
            return any(given.items() >= needed.items() for needed in allowed)
        action, resource = f"{service}:{operation.removesuffix('Batch')}", _resource(service, params)
        return resource is not None and any(
            action == allowed and pattern.fullmatch(resource) for allowed, pattern in self._allowed
        )


def _contexts(statement: Mapping[str, Any]) -> list[tuple[str, Mapping[str, str]]]:
    """Return the actions of KMS of a statement, each with the values that the encryption context must have."""
    prefix, condition = "kms:EncryptionContext:", statement["Condition"]
    equal = condition.get("StringEquals", {})
    if condition.keys() != {"StringEquals"} or not equal or not all(name.startswith(prefix) for name in equal):
        raise ValueError(f"only StringEquals of {prefix}… is understood as a condition; got {condition}")
    if not all(action.startswith("kms:") for action in statement["Action"]):
        raise ValueError(f"only actions of KMS may have a condition; got {statement}")
    needed = {name.removeprefix(prefix): value for name, value in equal.items()}
    return [(action, needed) for action in statement["Action"]]


def _resource(service: str, params: Params) -> str | None:
    match service, params:
        case "sqs", {"QueueUrl": str(url)}:
            return f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name_of(url)}"
        case "s3", {"Bucket": str(bucket), "Key": str(key)}:
            return f"arn:aws:s3:::{bucket}/{key}"
        case "dynamodb", {"TableName": str(table)}:
            return f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{table}"
    return None


_MOST_CONNECTIONS: Final = 128
_CLIENT: Final = re.compile(r"[0-9a-f]{1,64}")
_CREDENTIALS: Final = struct.Struct("3i")  # unix(7): pid, uid, gid


class CallSocket(FolderListener):
    """`path`: of the socket, in a folder that exists. Each connection has one call at a time.

    `on_gone`: told the name of a client that is gone, and how, when its messages are released.
    """

    def __init__(
        self,
        path: Path,
        engine: Engine,
        policy: Policy,
        *,
        most_connections: int = _MOST_CONNECTIONS,
        on_gone: Callable[[str, str], None] = lambda _name, _problem: None,
    ) -> None:
        super().__init__(path, most_connections, self._answer_calls)
        self._on_gone = on_gone
        self._engine = engine
        self._policy = policy

    def _answer_calls(self, accepted: socket.socket) -> None:
        try:
            raw = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            engine = replace(self._engine, holder=identify(_CREDENTIALS.unpack(raw)[0]))
            with Connection(accepted.detach()) as connection:
                while True:
                    request, content = receive(connection)
                    with content or nullcontext():
                        answer, file = self._answer(engine, request, content)
                    with file or nullcontext():
                        send(connection, answer, file)
        except (OSError, EOFError, ValueError):
            return

    def _answer(
        self, engine: Engine, request: dict[str, Any], content: BinaryIO | None
    ) -> tuple[dict[str, Any], BinaryIO | None]:
        try:
            answer = self._call(engine, request, content)
        except Exception as raised:  # noqa: BLE001 - parameters of a process that was taken over may be anything
            broken = ServiceError("InvalidParameterValue", type(raised).__name__)
            error = raised if isinstance(raised, ServiceError) else broken
            described = {"code": error.code, "message": error.message, "status": error.status, "more": error.more}
            return {"error": described}, None
        file = answer.pop("Body") if hasattr(answer.get("Body"), "read") else None
        return {"answer": answer}, file

    def _call(self, engine: Engine, request: dict[str, Any], content: BinaryIO | None) -> Answer:
        if "client" in request:
            client = request["client"]
            if not isinstance(client, str) or not _CLIENT.fullmatch(client):
                raise ServiceError("InvalidRequest", "a client has a name of up to 64 hexadecimal digits")
            engine = replace(engine, holder=f"{engine.holder}/{client}")
        match request:
            case {"client": _, "release": True} if engine.holder is not None:
                released = release_all(engine, engine.holder)
                if gone := request.get("gone"):
                    self._on_gone(*gone)
                return {"Released": released}
            case {"service": str(service), "operation": str(operation), "params": dict(params)}:
                if self._policy.allows(service, operation, params):
                    given = params if content is None else params | {"Body": content}
                    return services.call(engine, service, operation, given)
                problem = f"this process is not allowed to call {operation} of {service} for this resource"
                raise ServiceError("AccessDenied", problem, 403)
        raise ServiceError("InvalidRequest", "a request has service, operation and params")
