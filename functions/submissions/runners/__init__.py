"""The runners, as their heartbeats describe them.

runner_store.py  the last heartbeat of each runner, and a summary of all
fleet.py         languages, toolchains and figures of all runners
"""
