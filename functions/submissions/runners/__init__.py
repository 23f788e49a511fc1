"""The runners, as their heartbeats describe them.

runner_store.py  the last heartbeat of each runner, and a summary of all
tokens.py        tokens of runners that join a stack of one machine
fleet.py         languages, toolchains and figures of all runners
"""
