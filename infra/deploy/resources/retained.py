"""Resources that outlive their stack: tables, bucket and key, with everything that clients stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.deploy.building.package import ROOT
from infra.deploy.errors import DeployError
from infra.deploy.resources import artifacts
from infra.sam_template import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.deploy.target import Target

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
                    raise DeployError(f"infra/deploy/resources/retained.py does not know {self.kind}: add it there")
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
                artifacts.delete_bucket(target, self.physical_id)
            case _:
                kms: Any = target.client("kms")
                kms.schedule_key_deletion(KeyId=self.physical_id, PendingWindowInDays=KEY_DAYS)

    @property
    def command(self) -> str:
        """The command that deletes it."""
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
