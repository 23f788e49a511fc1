"""Invocations that no HTTP request makes, as threads of `stoppable_threads`.

1. `mappings`: the queues. 2. `stream_mappings`: the tables' streams, from where `stream_checkpoint` is.
3. `schedules`: EventBridge Scheduler.
"""
