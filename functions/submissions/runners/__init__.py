"""The runners, as their heartbeats describe them.

store.py  the last heartbeat of each runner, and a summary of all; tokens of other hosts; what runners have to stop
fleet.py  languages, toolchains and figures of all runners, and the routes of languages and health
"""
