"""The runners, as their heartbeats describe them.

runner_store.py     the last heartbeat of each runner, and a summary of all; tokens of runners of other hosts
fleet.py            languages, toolchains and figures of all runners
control_objects.py  what runners without a direct path have to stop
"""
