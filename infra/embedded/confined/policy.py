"""The rights of a confined process in the engine: the statements of its policy, and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from infra.embedded.engine import ACCOUNT_ID, REGION
from infra.embedded.sqs.queues import name_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.embedded.calls import Params


class Policy:
    """Pairs of an action and a pattern of resources, both of an Allow."""

    def __init__(self, statements: Iterable[Mapping[str, Any]]) -> None:
        """Read resolved statements. Raises ValueError for one that says more than Allow, Action and Resource."""
        self._allowed: list[tuple[str, re.Pattern[str]]] = []
        for statement in statements:
            if statement.keys() != {"Effect", "Action", "Resource"} or statement["Effect"] != "Allow":
                raise ValueError(f"only Allow with Action and Resource is understood; got {statement}")
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    pattern = ".*".join(re.escape(part) for part in resource.split("*"))
                    self._allowed.append((action, re.compile(pattern, re.DOTALL)))

    def allows(self, service: str, operation: str, params: Params) -> bool:
        """Tell whether a call is allowed. A batch needs the permission of the single operation, as on AWS."""
        action, resource = f"{service}:{operation.removesuffix('Batch')}", _resource(service, params)
        return resource is not None and any(
            action == allowed and pattern.fullmatch(resource) for allowed, pattern in self._allowed
        )


def _resource(service: str, params: Params) -> str | None:
    match service, params:
        case "sqs", {"QueueUrl": str(url)}:
            return f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:{name_of(url)}"
        case "s3", {"Bucket": str(bucket), "Key": str(key)}:
            return f"arn:aws:s3:::{bucket}/{key}"
        case "dynamodb", {"TableName": str(table)}:
            return f"arn:aws:dynamodb:{REGION}:{ACCOUNT_ID}:table/{table}"
    return None
