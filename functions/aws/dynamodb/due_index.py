"""The due index of a table: rows that somebody must act on, by partition and due time.

The index is sparse: a row leaves it when its key is removed.
"""

DUE_SHARDS = tuple(f"DUE#{number}" for number in range(16))


def due_shard(row_id: str) -> str:
    """Return one of the 16 partitions, from the last hex digit of a UUID."""
    return DUE_SHARDS[int(row_id[-1], 16) % len(DUE_SHARDS)]
