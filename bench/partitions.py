"""Keys of the tables and their indexes, and how much each carries. `python -m bench.partitions` prints them.

Units are those of a small row: a transaction bills a row twice, and each index of a row that changes is one more.
The items PROGRESS# of a judge run are in its partition SUBMISSION#: four units for each message.
tests/embedded/test_hot_keys.py counts the units of a thousand webhooks.
"""

from dataclasses import dataclass

UNITS_A_SEC = 1_000
"""Write units a second of one partition of DynamoDB."""


@dataclass(frozen=True, slots=True)
class Partition:
    """`key`: start of the partition key, or the name of the index. `units`: of each `unit_of`, in `shards` partitions.

    `owner`: what has such a key of its own.
    """

    table: str
    key: str
    units: float
    unit_of: str
    owner: str
    shards: int = 1

    @property
    def most_a_sec(self) -> float:
        """How many of them one owner can have a second."""
        return UNITS_A_SEC * self.shards / self.units


PARTITIONS = (
    Partition("SubmissionsTable", "SUBMISSION#", 5, "run", "run"),
    Partition("SubmissionsTable", "IDEMPOTENCY#", 2, "request", "idempotency key"),
    Partition("SubmissionsTable", "due", 3, "run", "stage", 16),
    Partition("SubmissionsTable", "by_project_shard", 2, "run", "project", 8),
    Partition("SubmissionsTable", "FILES#", 5, "stored file", "project"),
    Partition("SubmissionsTable", "PROBLEMS#", 4, "pushed version of a problem", "project"),
    Partition("QuotasTable", "PROJECT#", 3, "run", "shard of a quota"),
    Partition("QuotasTable", "COUNTS#", 1, "process that ends runs, each 10 s", "project"),
    Partition("DeliveriesTable", "EVENT#", 3, "delivery", "event"),
    Partition("DeliveriesTable", "due", 2, "webhook", "stage", 16),
    Partition("DeliveriesTable", "by_project_shard", 2, "webhook", "project", 8),
    Partition("DeliveriesTable", "by_project", 2, "webhook of an earlier build", "project"),
    Partition("DeliveriesTable", "by_endpoint", 2, "webhook", "endpoint"),
    Partition("DeliveriesTable", "waiting", 2, "parked delivery", "lane"),
    Partition("DeliveriesTable", "PROJECT#", 4, "guarded send", "project"),
    Partition("DeliveriesTable", "ORDERED#", 3, "event", "ordered endpoint"),
    Partition("DeliveriesTable", "EVENTS#", 2, "event without a run", "project"),
    Partition("DeliveriesTable", "UNORDERED#", 3, "logged event", "shard of an event log"),
    Partition("DeliveriesTable", "LOG#", 6, "poll that orders", "project"),
    Partition("ChecksTable", "PROJECT#", 4, "run of a check", "project"),
    Partition("ChecksTable", "RUNS#", 6, "run of a check", "check"),
    Partition("ChecksTable", "due", 4, "run of a check", "stage", 16),
    Partition("ChecksTable", "CLOCK", 1, "minute", "stage"),
    Partition("ChecksTable", "TRIGGERS#", 2, "change of a trigger", "project"),
    Partition("ChecksTable", "BADGE#", 2, "change of a badge", "badge"),
    Partition("ChecksTable", "HOOK#", 2, "change of a secret", "check"),
    Partition("ChecksTable", "INBOUND#", 2, "inbound event", "check"),
    Partition("ChecksTable", "CALLS#", 2, "inbound call", "check"),
    Partition("ChecksTable", "PING#", 2, "change of a heartbeat", "heartbeat"),
    Partition("ChecksTable", "PINGS#", 4, "ping with a body", "heartbeat"),
    Partition("ChecksTable", "OUTAGES#", 2, "change of a state", "check"),
    Partition("ChecksTable", "STATUS#", 2, "change of a status page", "status page"),
    Partition("RunnersTable", "RUNNER", 1, "heartbeat", "stage"),
    Partition("RunnersTable", "RUNNER_TOKENS", 1, "change of a runner's token", "stage"),
    Partition("ProjectsTable", "PROJECT#", 2, "change of a project", "project"),
    Partition("ProjectsTable", "PROJECTS", 2, "new project", "stage"),
    Partition("ProjectsTable", "KEY#", 2, "change of a key", "API key"),
)


def table() -> str:
    """Return one line for each key."""
    lines = [f"{'table':<13}{'key or index':<19}{'units':>5}  {'of each':<28}{'most a second for each':<34}"]
    for each in PARTITIONS:
        name = each.table.removesuffix("Table").lower()
        most = f"{each.most_a_sec:,.0f} {each.owner}" + (f", {each.shards} partitions" if each.shards > 1 else "")
        lines.append(f"{name:<13}{each.key:<19}{each.units:>5g}  {each.unit_of:<28}{most}".rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 - the output of a command
