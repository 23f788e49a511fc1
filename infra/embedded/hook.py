"""Answers botocore's calls from a function in place of the network: no request, no signature, no HTTP.

botocore emits its public event `creating-client-class` for each client, with the methods that the client will have:
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html. The hook replaces those of operations.
Errors are botocore's own; it does not repeat such a call.
"""

from __future__ import annotations

import io
import uuid
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore import handlers
from botocore.loaders import Loader
from botocore.response import StreamingBody

from infra.embedded.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    import boto3

    from infra.embedded.errors import Answer, Params

type Caller = Callable[[str, str, Params], Answer]
"""(service, operation, parameters) to the answer. Raises ServiceError."""

type Method = Callable[..., Any]
"""A method of a client."""

_EVENT: Final = "creating-client-class"
_OK: Final = 200


class _Descriptions(Loader):
    """Descriptions of the services without their texts, and without the addresses of regions."""

    def load_data_with_path(self, name: str) -> tuple[Any, str]:
        data, path = super().load_data_with_path(name)
        if name == "endpoints":  # only S3 has an entry without which it has no default
            del data["partitions"][1:]
            services = data["partitions"][0]["services"]
            data["partitions"][0]["services"] = {"s3": services["s3"]}
        else:
            _drop_texts(data)  # in the cache of the loader, too
        return data, path


def _drop_texts(node: Any) -> None:
    if isinstance(node, list):
        for part in node:
            _drop_texts(part)
    elif isinstance(node, dict):
        if isinstance(node.get("documentation"), str):
            del node["documentation"]
        for name, part in node.items():
            if name != "clientContextParams":  # botocore reads their texts
                _drop_texts(part)


def share_descriptions() -> None:
    """Let all sessions share the descriptions, without parts that nothing reads: each would keep 20 MB of its own."""
    loader = _Descriptions()
    botocore.session.create_loader = lambda search_path_string=None: loader  # noqa: ARG005 - botocore's signature


class _Content:
    """An open file that is closed after its last byte was read, as a connection is."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, amt: int | None = None) -> bytes:
        if self._file.closed:
            return b""
        piece = self._file.read(-1 if amt is None else amt)
        self._left -= len(piece)
        if self._left <= 0 or (not piece and amt != 0):
            self._file.close()
        return piece

    def close(self) -> None:
        self._file.close()


class Hook:
    """Answers all calls of the sessions that it is attached to."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def attach(self, session: boto3.Session) -> None:
        """Answer the clients that this session makes from now on."""
        session.events.register_last(_EVENT, self._replace_methods)

    def attach_everywhere(self) -> None:
        """Answer the clients of every session that this process makes from now on, also those of libraries.

        botocore registers this list at each new session; moto relies on it too.
        """
        handlers.BUILTIN_HANDLERS.append((_EVENT, self._replace_methods))

    def detach_everywhere(self) -> None:
        """Leave sessions that are made from now on alone."""
        handlers.BUILTIN_HANDLERS.remove((_EVENT, self._replace_methods))

    def _replace_methods(self, class_attributes: dict[str, Any], **_event: object) -> None:
        for name, attribute in class_attributes.items():
            if callable(attribute):
                class_attributes[name] = self._method(name, attribute)

    def _method(self, name: str, replaced: Method) -> Method:
        def call(client: Any, *arguments: Any, **params: Any) -> Any:
            operation = client.meta.method_to_api_mapping.get(name)
            if operation is None:  # a helper, such as `generate_presigned_url`
                return replaced(client, *arguments, **params)
            return self._answer(client, operation, params)

        return call

    def _answer(self, client: Any, operation: str, params: Params) -> Answer:
        metadata = {"RequestId": str(uuid.uuid4()), "HTTPStatusCode": _OK, "HTTPHeaders": {}, "RetryAttempts": 0}
        try:
            answer = self._caller(client.meta.service_model.service_name, operation, params)
            if "Body" in answer:  # bytes, or an open file
                content = answer["Body"]
                raw: Any = (
                    io.BytesIO(content) if isinstance(content, bytes) else _Content(content, answer["ContentLength"])
                )
                answer["Body"] = StreamingBody(raw, answer["ContentLength"])
            return answer | {"ResponseMetadata": metadata}
        except ServiceError as error:
            more = dict(error.more)
            described = {"Code": error.code, "Message": error.message, **more.pop("Error", {})}
            metadata["HTTPStatusCode"] = error.status
            refusal = {**more, "Error": described, "Message": error.message, "ResponseMetadata": metadata}
            # SQS has two codes: this one names the exception.
            kind = client.exceptions.from_code(described.get("QueryErrorCode", error.code))
            raise kind(refusal, operation) from None
