"""Where a project's artifacts are, by their hashes, so that later runs can name them as files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from functions.aws.dynamodb.conditional import delete, put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.retries import TRIES
from functions.aws.dynamodb.table import Table
from functions.aws.dynamodb.transaction import transact
from functions.errors import UnavailableError
from functions.files.model import ArtifactObject
from functions.files.rows import ARTIFACT, artifacts_pk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_RUNS = 10
"""How many runs with the same artifact a search looks at."""
_CONTENDED = "Other requests keep changing the artifacts of this result. Repeat the request."


class ArtifactStore(Table):
    """The artifacts of all projects. A row may outlive its object, never the other way round."""

    def add(self, project_id: str, submission_id: str, artifacts: Iterable[Mapping[str, Any]], ttl: int) -> None:
        """Make the artifacts of a run known until `ttl`: those of its row, with the `key` of each object.

        Repeating the call is safe. Raises UnavailableError.
        """
        actions = [
            put(
                self.table_name,
                to_item(
                    {
                        "pk": artifacts_pk(project_id, sha256),
                        "sk": ARTIFACT + submission_id,
                        "size": artifact["size"],
                        "media_type": artifact["media_type"],
                        "object_key": artifact["key"],
                        "ttl": ttl,
                    }
                ),
            )
            for sha256, artifact in {each["sha256"]: each for each in artifacts}.items()
        ]
        self._write(actions)

    def remove(self, project_id: str, submission_id: str, sha256s: Iterable[str]) -> None:
        """Forget the artifacts of a run. Repeating the call is safe. Raises UnavailableError."""
        sk = ARTIFACT + submission_id
        self._write([delete(self.table_name, key(artifacts_pk(project_id, one), sk)) for one in dict.fromkeys(sha256s)])

    def find(self, project_id: str, sha256: str) -> list[ArtifactObject]:
        """Return some artifacts of the project with this hash."""
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item({":pk": artifacts_pk(project_id, sha256), ":prefix": ARTIFACT}),
            ConsistentRead=True,
            Limit=_MOST_RUNS,
        )
        rows = [from_item(item) for item in answer["Items"]]
        return [ArtifactObject(sha256, row["size"], row["media_type"], row["object_key"]) for row in rows]

    def _write(self, actions: list[object]) -> None:
        """Write at most 100 rows, as many as a run has artifacts."""
        if actions and transact(self._client, {"artifacts": actions}, TRIES) is not None:
            raise UnavailableError(_CONTENDED, 1)
