"""Lambda entry point that CodeDeploy calls before a new version gets traffic: it tries this zip in its stage.

It tries imports, the SDK and the stage's resources, with a role of its own. It does not try the rights, the network
and the settings of the other functions, nor any request of a client.
"""

import importlib
import pkgutil
import uuid
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from functions import handlers
from functions.aws.clients import Clients
from functions.clock import MS_PER_SEC
from functions.env import Env

SERVICE = "release"
SETTINGS = (
    *("runners_table", "payloads_bucket", "endpoint_secrets_key_id"),
    *("interactive_queue_url", "batch_queue_url", "network_queue_url", "completions_queue_url"),
    *("deliveries_queue_url", "checks_queue_url"),
)
ENV = Env(SERVICE, SETTINGS)
_KEPT_SECS = 86_400
"""After this DynamoDB deletes a row that a failed check has left. Objects expire by a rule of the bucket."""


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str]:
    """Tell CodeDeploy whether this zip works in this stage. Without a deployment in the event, only return it."""
    try:
        check(context.aws_request_id or uuid.uuid4().hex)
        status = "Succeeded"
    except Exception:
        # A wrong zip fails in any way: no module, a parameter that a library refuses, a right that the role lacks.
        ENV.log.exception("This release does not work in this stage: it gets no traffic")
        status = "Failed"
    if "DeploymentId" in event:
        Clients.codedeploy().put_lifecycle_event_hook_execution_status(
            deploymentId=event["DeploymentId"],
            lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
            status=status,
        )
    return {"status": status}


def check(name: str) -> None:
    """Import every entry point; write, read and delete an object and a row; seal and open; ask each queue.

    `name` is part of the keys. Raises what fails.
    """
    for module in pkgutil.iter_modules(handlers.__path__):
        importlib.import_module(f"{handlers.__name__}.{module.name}")
    _use_bucket(f"release/{name}")
    _use_table({"pk": {"S": f"RELEASE#{name}"}, "sk": {"S": "RELEASE"}})
    _use_key()
    settings = ENV.settings
    for url in (
        settings.interactive_queue_url,
        settings.batch_queue_url,
        settings.network_queue_url,
        settings.completions_queue_url,
        settings.deliveries_queue_url,
        settings.checks_queue_url,
    ):
        ENV.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])


def _use_bucket(key: str) -> None:
    bucket, s3 = ENV.settings.payloads_bucket, Clients.s3()
    s3.put_object(Bucket=bucket, Key=key, Body=b"release")
    _expect(s3.get_object(Bucket=bucket, Key=key)["Body"].read(), b"release", "the object")
    s3.delete_object(Bucket=bucket, Key=key)


def _use_table(key: dict[str, Any]) -> None:
    table, expires = ENV.settings.runners_table, {"N": str(ENV.clock() // MS_PER_SEC + _KEPT_SECS)}
    ENV.dynamodb.put_item(TableName=table, Item={**key, "ttl": expires})
    found = ENV.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item", {})
    _expect(found.get("ttl"), expires, "the row")
    ENV.dynamodb.delete_item(TableName=table, Key=key)


def _use_key() -> None:
    kms, context = Clients.kms(), {"purpose": "release"}
    key = ENV.settings.endpoint_secrets_key_id
    sealed = kms.encrypt(KeyId=key, Plaintext=b"release", EncryptionContext=context)["CiphertextBlob"]
    opened = kms.decrypt(KeyId=key, CiphertextBlob=sealed, EncryptionContext=context)["Plaintext"]
    _expect(opened, b"release", "the sealed text")


def _expect(found: object, expected: object, what: str) -> None:
    if found != expected:
        raise ReleaseError(f"{what} came back as {found!r}, not as {expected!r}")


class ReleaseError(Exception):
    """The stage gave back another value than this release wrote."""
