"""What the runner tells the service, in the order of a run.

1. `long_runs` sends `execution_started` for runs that last, `progress` the finished cases of judge runs.
2. `queue_batches` sends all messages in batches, and deletes the requests of sent completions.
3. `queue_health` knows whether the completions queue takes messages. Without it, the intakes take no work.
4. `runner_facts` builds the heartbeat: languages, toolchains and isolation.
"""
