"""The send slots of a project, as senders and the sweeper read them. `slot_rows` has the updates of a claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.aws.dynamodb.conditional import ConditionalUpdate
from functions.aws.dynamodb.table import Table
from functions.webhooks.sending.limits.slot_rows import slots_key, to_slots

if TYPE_CHECKING:
    from functions.webhooks.sending.limits.slots import Slots


class SlotStore(Table):
    """Slots rows of the deliveries table."""

    def read(self, project_id: str) -> Slots:
        """Read the slots of a project consistently."""
        return to_slots(project_id, self._get(slots_key(project_id)) or {})

    def clear_mark(self, slots: Slots) -> None:
        """Clear the waiting mark of a project without marked lanes."""
        update = ConditionalUpdate({}, "#waiting_ms = :read", {"read": slots.waiting_ms or 0}, ("waiting_ms",))
        self._update_unread(update, slots_key(slots.project_id))
