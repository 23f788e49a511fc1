"""The sealed environment of a run, in its row until it is final: the sweeper may send the run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.messages.variables import Environment
from functions.webhooks.deliveries.model import RUN_ENDPOINT_ID

if TYPE_CHECKING:
    from functions.webhooks.sending.secret_box import SecretBoxes


def seal_environment(boxes: SecretBoxes, environment: Environment, project_id: str) -> bytes:
    """Seal an environment whose text has at most 4,096 bytes, the limit of KMS. Raises ClientError."""
    return boxes.seal(environment.text, project_id, RUN_ENDPOINT_ID, "environment")


def open_environment(boxes: SecretBoxes, box: bytes, project_id: str) -> Environment:
    """Open the box of a run. Raises UnsealError, ClientError."""
    return Environment.parse(boxes.open(box, project_id, RUN_ENDPOINT_ID, "environment"))
