"""Problems and their versions in the submissions table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from functions.aws.dynamodb.conditional import ConditionalUpdate, delete, put
from functions.aws.dynamodb.items import from_item, key, to_item
from functions.aws.dynamodb.row_codec import read, write
from functions.aws.dynamodb.table import Page, Table
from functions.aws.dynamodb.transaction import transact_or_raise
from functions.clock import MS_PER_SEC, to_rfc3339
from functions.files.model import USE_NOTED_MS
from functions.judging.problems.model import Problem, ProblemVersion

if TYPE_CHECKING:
    from functions.aws.dynamodb.items import Key


# The rows:
#
# PROBLEMS#<project>      PROBLEM#<id>                a problem, with the numbers of the version that was pushed last
# PROBLEMS#<project>      VERSION#<id>@<version>      a version; a deleted one stays until no run needs its files

PROBLEM: Final = "PROBLEM#"
_VERSION: Final = "VERSION#"
_PK: Final = "PROBLEMS#"
REMOVED_CONTENT: Final = ("plan", "limits", "case_limits", "files", "checker_languages", "warnings")
"""Attributes that a deleted version loses."""


def problems_pk(project_id: str) -> str:
    """Return the partition key of a project's problems."""
    return f"{_PK}{project_id}"


def problem_key(project_id: str, problem_id: str) -> Key:
    """Return the primary key of a problem."""
    return key(problems_pk(project_id), PROBLEM + problem_id)


def version_key(project_id: str, problem_id: str, version: str) -> Key:
    """Return the primary key of a version."""
    return key(problems_pk(project_id), f"{_VERSION}{problem_id}@{version}")


def version_row(version: ProblemVersion) -> dict[str, Any]:
    """Return the row of a version."""
    sk = f"{_VERSION}{version.name}"
    return {**write(version), "pk": problems_pk(version.project_id), "sk": sk}


def to_problem(row: dict[str, Any]) -> Problem:
    """Decode the row of a problem."""
    project_id, problem_id = str(row["pk"]).removeprefix(_PK), str(row["sk"]).removeprefix(PROBLEM)
    return read(Problem, {**row, "project_id": project_id, "problem_id": problem_id})


def to_version(row: dict[str, Any]) -> ProblemVersion:
    """Decode the row of a version."""
    problem_id, _, version = str(row["sk"]).removeprefix(_VERSION).rpartition("@")
    project_id = str(row["pk"]).removeprefix(_PK)
    return read(ProblemVersion, {**row, "project_id": project_id, "problem_id": problem_id, "version": version})


_KEPT_SECS = 86_400
"""The row of a deleted version stays for so long after its last use."""
_USABLE = "attribute_exists(pk) AND attribute_not_exists(#removable_at_ms)"


class ProblemStore(Table):
    """The problems of all projects."""

    table_setting = "submissions_table"

    def get(self, project_id: str, problem_id: str) -> Problem | None:
        """Return a problem."""
        row = self._get(problem_key(project_id, problem_id))
        return None if row is None else to_problem(row)

    def version(self, project_id: str, problem_id: str, version: str) -> ProblemVersion | None:
        """Return a version, deleted or not."""
        row = self._get(version_key(project_id, problem_id, version))
        return None if row is None else to_version(row)

    def add(self, version: ProblemVersion, kept_object: Any) -> bool:
        """Write a version, and make it the last one that was pushed. False if it exists.

        `kept_object`: the action that keeps its object (`FileStore.keep`).
        """
        actions = {
            "version": put(
                self.table_name,
                to_item(version_row(version)),
                "attribute_not_exists(pk) OR attribute_exists(#removable_at_ms)",
            ),
            "problem": self._pushed(version).action(
                self.table_name, problem_key(version.project_id, version.problem_id)
            ),
            "object": kept_object,
        }
        return transact_or_raise(self._client, actions) is None

    def push_again(self, version: ProblemVersion) -> bool:
        """Make a stored version the last one that was pushed. False if it was deleted meanwhile."""
        at = version_key(version.project_id, version.problem_id, version.version)
        used = ConditionalUpdate({"used_at_ms": self._clock()}, _USABLE, {})
        actions = {
            "version": used.action(self.table_name, at),
            "problem": self._pushed(version).action(
                self.table_name, problem_key(version.project_id, version.problem_id)
            ),
        }
        return transact_or_raise(self._client, actions) is None

    def note_use(self, version: ProblemVersion) -> bool:
        """Note that a run uses a version, unless another did within USE_NOTED_MS. False if it was deleted."""
        now = self._clock()
        if version.removable_at_ms is not None:
            return False
        if version.used_at_ms is not None and now - version.used_at_ms < USE_NOTED_MS:
            return True
        update = ConditionalUpdate({"used_at_ms": now}, _USABLE, {})
        return self._update_unread(update, version_key(version.project_id, version.problem_id, version.version))

    def retire(self, version: ProblemVersion, removable_at_ms: int, dropped_object: Any) -> bool:
        """Delete a version; it still holds its files until `removable_at_ms`. False if it was used meanwhile.

        `dropped_object`: the action that has its object deleted then (`FileStore.drop`).
        """
        condition, values = f"{_USABLE} AND attribute_not_exists(#used_at_ms)", {}
        if version.used_at_ms is not None:
            condition, values = f"{_USABLE} AND #used_at_ms = :seen", {"seen": version.used_at_ms}
        removed = ConditionalUpdate(
            {"removable_at_ms": removable_at_ms, "ttl": removable_at_ms // MS_PER_SEC + _KEPT_SECS},
            condition,
            values,
            REMOVED_CONTENT,
        )
        unlisted = ConditionalUpdate({}, "attribute_exists(pk)", {}, deletes={"versions": frozenset({version.version})})
        at = version_key(version.project_id, version.problem_id, version.version)
        actions = {
            "version": removed.action(self.table_name, at),
            "problem": unlisted.action(self.table_name, problem_key(version.project_id, version.problem_id)),
            "object": dropped_object,
        }
        return transact_or_raise(self._client, actions) is None

    def delete(self, problem: Problem) -> bool:
        """Delete a problem that has no version any more. False if one was pushed meanwhile."""
        action = delete(
            self.table_name,
            problem_key(problem.project_id, problem.problem_id),
            "attribute_not_exists(#versions)",
        )
        return transact_or_raise(self._client, {"problem": action}) is None

    def page(self, project_id: str, limit: int, after: str | None) -> Page[Problem]:
        """Return problems in the order of their ids. `after`: the last id of the page before."""
        values = {
            ":pk": problems_pk(project_id),
            ":first": f"{PROBLEM}{after}!" if after else PROBLEM,
            ":last": f"{PROBLEM}~",
        }
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(values),
            ConsistentRead=True,
            Limit=limit + 1,
        )
        found = [to_problem(from_item(item)) for item in answer["Items"]]
        has_more = len(found) > limit
        return Page(tuple(found[:limit]), found[limit - 1].problem_id if has_more else None)

    def _pushed(self, version: ProblemVersion) -> ConditionalUpdate:
        now = to_rfc3339(self._clock())
        return ConditionalUpdate(
            {
                "version": version.version,
                "cases": version.cases,
                "size_bytes": version.size_bytes,
                "pushed_at": now,
            },
            "",
            {"now": now},
            computed=("#created_at = if_not_exists(#created_at, :now)",),
            adds={"versions": frozenset({version.version})},
        )
