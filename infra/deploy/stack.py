"""The stack of a stage: created or updated by a change set, deleted; and what lies beside it or outlives it."""

import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from infra.deploy.building import ROOT, Package
from infra.deploy.target import DeployError, Progress, Target
from infra.sam_template import read

# Secrets of a stage, as SecureStrings in SSM, and the bucket with its zip and template.

_BYTES = 32


def ensure_secret(target: Target, name: str) -> bool:
    """Create the parameter with a random value unless it exists. Return whether it was created."""
    ssm: Any = target.client("ssm")
    try:
        ssm.put_parameter(Name=name, Type="SecureString", Value=secrets.token_urlsafe(_BYTES), Overwrite=False)
    except ssm.exceptions.ParameterAlreadyExists:
        return False
    return True


def find_secret(target: Target, name: str) -> str | None:
    """Return the value of a parameter, None if there is none."""
    ssm: Any = target.client("ssm")
    try:
        value: str = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound:
        return None
    return value


def write_secret(target: Target, name: str, value: str) -> None:
    """Create or replace a parameter."""
    target.client("ssm").put_parameter(Name=name, Type="SecureString", Value=value, Overwrite=True)


def delete_secrets(target: Target) -> list[str]:
    """Delete every secret of the stage; return the names."""
    ssm: Any = target.client("ssm")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=f"/rustbox/{target.stage}/")
    names = [parameter["Name"] for page in pages for parameter in page["Parameters"]]
    for name in names:
        ssm.delete_parameter(Name=name)
    return names


# The bucket with the code: the zip and the template, each under the hash of its content.

_US_EAST_1 = "us-east-1"


def bucket_name(target: Target, account: str) -> str:
    """Name of the bucket; unique for account, region and stage."""
    return f"{target.stack_name}-code-{account}-{target.region}"


def ensure_bucket(target: Target, bucket: str) -> None:
    """Create the bucket, closed to the public, unless it exists."""
    s3: Any = target.client("s3")
    # us-east-1 is the default, and no valid constraint.
    place = {} if target.region == _US_EAST_1 else {"CreateBucketConfiguration": {"LocationConstraint": target.region}}
    try:
        s3.create_bucket(Bucket=bucket, **place)
    except (s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
        # us-east-1 answers 200 for an own bucket. A bucket of another account refuses the next call.
        s3.head_bucket(Bucket=bucket)
    blocks = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocks, True))


def upload_package(target: Target, bucket: str, package: Package) -> tuple[str, bool]:
    """Return the key of the zip and whether it had to be uploaded."""
    key = f"{package.digest}.zip"
    s3: Any = target.client("s3")
    if _exists(s3, bucket, key):
        return key, False
    s3.upload_file(str(package.path), bucket, key)
    return key, True


def upload_template(target: Target, bucket: str, template: dict[str, Any]) -> str:
    """Return the URL of the template. CloudFormation takes at most 51,200 bytes in a request itself, 1 MB from S3."""
    body = json.dumps(template, sort_keys=True).encode()
    key = f"{hashlib.sha256(body).hexdigest()}.json"
    s3: Any = target.client("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    if target.endpoint is not None:
        return f"{target.endpoint}/{bucket}/{key}"
    return f"https://{bucket}.s3.{target.region}.amazonaws.com/{key}"


def delete_bucket(target: Target, bucket: str) -> None:
    """Delete the bucket with everything in it."""
    s3: Any = target.client("s3")
    try:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            if keys := [{"Key": item["Key"]} for item in page.get("Contents", [])]:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
        s3.delete_bucket(Bucket=bucket)
    except s3.exceptions.NoSuchBucket:
        return


def _exists(s3: Any, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
            return False
        raise
    return True


# The CloudFormation stack: created or updated by a change set, followed until its end, deleted.

_CHANGE_SET_SECS = 300
_STACK_SECS = 1800
_POLL_SECS = 1.0
_USABLE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE"})
# A stack whose creation failed takes no update; it holds nothing and is deleted first.
_NEVER_CREATED = frozenset({"ROLLBACK_COMPLETE", "CREATE_FAILED", "ROLLBACK_FAILED"})
_NO_CHANGE = ("didn't contain changes", "No updates are to be performed")
_MOST_REASONS = 5


class Stack:
    """One stack. Methods raise DeployError, and boto3's errors for refused calls."""

    def __init__(self, target: Target, progress: Progress) -> None:
        self._cloudformation: Any = target.client("cloudformation")
        self._name = target.stack_name
        self._progress = progress

    def describe(self) -> dict[str, Any] | None:
        """Return CloudFormation's description, None if there is no such stack."""
        try:
            found: dict[str, Any] = self._cloudformation.describe_stacks(StackName=self._name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return found

    def outputs(self) -> dict[str, str]:
        """Return the outputs; empty without a stack."""
        found = self.describe() or {}
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def resources(self) -> dict[str, str]:
        """Return the physical id of each resource, by logical id."""
        pages = self._cloudformation.get_paginator("list_stack_resources").paginate(StackName=self._name)
        return {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for page in pages
            for item in page["StackResourceSummaries"]
            if item.get("PhysicalResourceId")
        }

    def deploy(self, template_url: str, parameters: Mapping[str, str], tags: Mapping[str, str] | None = None) -> bool:
        """Create or update the stack. Return whether anything changed. `tags`: none leave those of before."""
        found = self.describe()
        status = found["StackStatus"] if found else None
        if status in _NEVER_CREATED:
            self._progress.step("stack", f"{self._name} was never created ({status}): deleting it first")
            self.delete()
            status = None
        if status not in {None, "REVIEW_IN_PROGRESS", *_USABLE}:
            raise DeployError(
                f"the stack {self._name} is {status}: wait for its end, or repair it in the CloudFormation console"
            )
        kind = "UPDATE" if status in _USABLE else "CREATE"
        name = f"deploy-{datetime.now(UTC):%Y%m%d%H%M%S%f}"
        change_set = self._cloudformation.create_change_set(
            StackName=self._name,
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateURL=template_url,
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            **({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}),
        )["Id"]
        changes = self._changes(change_set)
        if not changes:
            self._cloudformation.delete_change_set(ChangeSetName=change_set)
            return False
        self._progress.step("stack", f"{self._name}: {kind.lower()}, {changes} changes")
        # RetainExceptOnCreate: a failed creation leaves no empty tables behind, although the template retains tables.
        self._cloudformation.execute_change_set(ChangeSetName=change_set, RetainExceptOnCreate=True)
        self._follow(changes)
        return True

    def delete(self) -> None:
        """Delete the stack. Resources with `DeletionPolicy: Retain` stay."""
        self._progress.step("stack", f"{self._name}: deleting; this can take some minutes")
        self._cloudformation.delete_stack(StackName=self._name)
        deadline = time.monotonic() + _STACK_SECS
        while (found := self.describe()) is not None and found["StackStatus"] != "DELETE_COMPLETE":
            if found["StackStatus"] == "DELETE_FAILED":
                raise DeployError(f"the stack {self._name} was not deleted:\n{self._reasons()}")
            self._pause(deadline)

    def _changes(self, change_set: str) -> int:
        """Wait for a change set; return the number of its changes."""
        deadline = time.monotonic() + _CHANGE_SET_SECS
        while True:
            found = self._cloudformation.describe_change_set(ChangeSetName=change_set, StackName=self._name)
            reason = found.get("StatusReason") or ""
            if found["Status"] == "CREATE_COMPLETE":
                return len(found["Changes"])
            if found["Status"] == "FAILED":
                if any(text in reason for text in _NO_CHANGE):
                    return 0
                raise DeployError(f"CloudFormation refused the template: {reason}")
            self._pause(deadline)

    def _follow(self, changes: int) -> None:
        """Show the progress until the operation ends."""
        deadline, shown = time.monotonic() + _STACK_SECS, ""
        while True:
            found = self.describe() or {}
            status = found.get("StackStatus", "")
            if not status.endswith("_IN_PROGRESS"):
                break
            text = f"{status.lower().replace('_', ' ')}, {self._finished(found)} of about {changes}"
            if text != shown:
                self._progress.step("stack", text)
                shown = text
            self._pause(deadline)
        if status not in _USABLE or "ROLLBACK" in status:
            raise DeployError(f"the stack {self._name} ended as {status}. Reasons:\n{self._reasons()}")

    def _finished(self, stack: Mapping[str, Any]) -> int:
        since = stack.get("LastUpdatedTime") or stack["CreationTime"]
        return len({
            event["LogicalResourceId"]
            for event in self._events()
            if event["Timestamp"] >= since and event["ResourceStatus"].endswith("_COMPLETE")
        })  # fmt: skip

    def _reasons(self) -> str:
        """Return the first failures of resources, oldest first, one a line."""
        failed = [event for event in reversed(self._events()) if event["ResourceStatus"].endswith("_FAILED")]
        lines = [f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed]
        return "\n".join(lines[-_MOST_REASONS:]) or "  see the events in the CloudFormation console"

    def _events(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = self._cloudformation.describe_stack_events(StackName=self._name)["StackEvents"]
        return events

    def _pause(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise DeployError(f"CloudFormation is still busy with {self._name}: look again with `make deploy-status`")
        time.sleep(_POLL_SECS)


# Resources that outlive their stack: tables, bucket and key, with everything that clients stored.

KEY_DAYS = 7
"""The shortest time in which the deletion of a KMS key can be cancelled."""
_GONE = frozenset({"ResourceNotFoundException", "NotFoundException", "NoSuchBucket", "404"})


@dataclass(frozen=True, slots=True)
class Retained:
    """One resource. `name`: its logical id in the template."""

    name: str
    kind: str
    physical_id: str

    def exists(self, target: Target) -> bool:
        """Return whether it is still there and not about to be deleted."""
        try:
            match self.kind:
                case "AWS::DynamoDB::Table":
                    target.client("dynamodb").describe_table(TableName=self.physical_id)
                case "AWS::S3::Bucket":
                    target.client("s3").head_bucket(Bucket=self.physical_id)
                case "AWS::KMS::Key":
                    key = target.client("kms").describe_key(KeyId=self.physical_id)["KeyMetadata"]
                    return str(key["KeyState"]) != "PendingDeletion"
                case _:
                    raise DeployError(f"infra/deploy/stack.py does not know {self.kind}: add it there")
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return False
            raise
        return True

    def is_protected(self, target: Target) -> bool:
        """Return whether it is a table that DynamoDB refuses to delete."""
        if self.kind != "AWS::DynamoDB::Table" or not self.exists(target):
            return False
        table = target.client("dynamodb").describe_table(TableName=self.physical_id)["Table"]
        return bool(table.get("DeletionProtectionEnabled", False))

    def delete(self, target: Target) -> None:
        """Delete it with all data; a key can be restored for KEY_DAYS."""
        match self.kind:
            case "AWS::DynamoDB::Table":
                dynamodb: Any = target.client("dynamodb")
                dynamodb.delete_table(TableName=self.physical_id)
            case "AWS::S3::Bucket":
                delete_bucket(target, self.physical_id)
            case _:
                kms: Any = target.client("kms")
                kms.schedule_key_deletion(KeyId=self.physical_id, PendingWindowInDays=KEY_DAYS)

    @property
    def command(self) -> str:
        match self.kind:
            case "AWS::DynamoDB::Table":
                return f"aws dynamodb delete-table --table-name {self.physical_id}"
            case "AWS::S3::Bucket":
                return f"aws s3 rb --force s3://{self.physical_id}"
            case _:
                return f"aws kms schedule-key-deletion --key-id {self.physical_id} --pending-window-in-days {KEY_DAYS}"


def retained(resources: Mapping[str, str]) -> list[Retained]:
    """Return the retained ones of a stack's resources (physical id by logical id)."""
    declared = read(ROOT / "template.yaml")["Resources"]
    return [
        Retained(name, declared[name]["Type"], physical_id)
        for name, physical_id in resources.items()
        if declared.get(name, {}).get("DeletionPolicy") == "Retain"
    ]
