"""Names of the queues that have dead letters, in paths and logs."""

QUEUE_NAMES = ("interactive", "batch", "completions", "deliveries", "checks")
