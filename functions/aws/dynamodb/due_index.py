"""The due index of a table: rows that need an action, by partition and due time.

The index is sparse: removing its key from a row removes the row from the index. Readers ask every partition, so their
number may grow: rows stay where they are.
"""

import os

_SHARDS = int(os.environ.get("DUE_SHARDS", "16"))
"""template.yaml has the allowed numbers: powers of two, up to 256."""
DUE_SHARDS = tuple(f"DUE#{number}" for number in range(_SHARDS))


def due_shard(row_id: str) -> str:
    """Return one of the partitions, from the last two hex digits of a UUID."""
    return DUE_SHARDS[int(row_id[-2:], 16) % len(DUE_SHARDS)]
