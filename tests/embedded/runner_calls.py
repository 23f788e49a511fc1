"""What a runner may call, and everything that it could call."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.embedded.services import OPERATIONS
from infra.local.embedded_aws import runner_statements
from infra.local.settings import ROOT
from infra.local.translation import translate
from sandbox_runtime.network.relay.client import SealedSecret
from sandbox_runtime.network.relay.rules import Secret
from sandbox_runtime.secret_opener import SecretOpener
from tests.embedded.backend import Backend

BUCKET = "rustbox-local-payloadsbucket"


def local_statements() -> list[dict[str, Any]]:
    """The statements of the template's RunnerPolicy, with the names that resources have locally."""
    return runner_statements(translate(ROOT / "template.yaml", {"Stage": "local"}))


def every_call(queues: dict[str, str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Every operation of the engine, on every resource that there is."""
    for service, operations in OPERATIONS.items():
        for operation in operations:
            if service == "sqs":
                for url in queues.values():
                    yield service, operation, {"QueueUrl": url, "QueueName": "x", "ReceiptHandle": "1.x"}
            elif service == "s3":
                for key in (
                    *("inputs/s", "outputs/s", "judge-inputs/s", "deleted/s", "files/s", "judge-inputs", "other"),
                    *("outputs", "xoutputs/s"),
                ):
                    yield service, operation, {"Bucket": BUCKET, "Key": key}
                yield service, operation, {"Bucket": "another", "Key": "outputs/s"}
            else:
                yield service, operation, {"TableName": "rustbox-local-ProjectsTable", "Name": "/x", "KeyId": "x"}


VALUE = b"tok_0123456789"
"""Of a secret."""
CONTEXT = {"project_id": "p", "endpoint_id": "secret:github", "purpose": "network", "rules": "0" * 64}


def sealed_for(aws: Backend, context: dict[str, str]) -> SealedSecret:
    kms = aws.client("kms")
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    box = kms.encrypt(KeyId=key_id, Plaintext=VALUE, EncryptionContext=context)["CiphertextBlob"]
    return SealedSecret(Secret("github", "api.example.com", 443, "bearer"), context, box)


def what_it_writes(opener: SecretOpener, sealed: SealedSecret) -> Any:
    reading, writing = os.pipe()
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
        try:
            opener([sealed], writing)
        finally:
            os.close(writing)
        return json.loads(pipe.read())


@contextmanager
def opener_at(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretOpener]:
    """The opener of a runner whose calls go to this socket."""
    for name, value in (
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ):
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "infra.embedded.confined.process", str(path), "sandbox_runtime"]
    with closing(SecretOpener(command)) as made:
        yield made
