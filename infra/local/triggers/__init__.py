"""Invocations that no HTTP request makes, as threads that stop when asked.

1. `mappings`: the queues. 2. `stream_mappings`: the tables' streams, from their checkpoints.
3. `schedules`: EventBridge Scheduler.
"""
