"""What the runner tells the service, in the order of a run.

1. `reports` has all senders, and starts and stops them. `heartbeats` tells that this runner lives.
2. `long_runs` sends `execution_started` for runs that last, `progress` the finished cases of judge runs.
3. `queue_batches` sends all messages in batches, and deletes the requests of sent completions.
4. `queue_health` knows whether the completions queue takes messages. Without it, the intakes take no work.
5. `runner_facts` builds the heartbeat: languages, toolchains and isolation.
"""
