"""What a runner may call, and everything that it could call."""

from collections.abc import Iterator
from typing import Any

from infra.embedded.services import OPERATIONS
from infra.local.embedded_aws import runner_statements
from infra.local.settings import ROOT
from infra.local.translation import translate

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
