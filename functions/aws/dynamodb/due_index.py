"""The due index of a table: rows that need an action, by partition and due time.

The index is sparse: removing its key from a row removes the row from the index.
"""

DUE_SHARDS = tuple(f"DUE#{number}" for number in range(16))


def due_shard(row_id: str) -> str:
    """Return one of the 16 partitions, from the last hex digit of a UUID."""
    return DUE_SHARDS[int(row_id[-1], 16) % len(DUE_SHARDS)]
