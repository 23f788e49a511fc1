"""Checks: saved programs that run on a schedule, and events when their state changes.

A reader begins with these, lowest first. None imports one that follows it in this list:

* `schedule`: when a check runs: expressions and their times
* `keys`, `assertions`: the keys of the table; the conditions on a run, with their JSON paths and regular expressions
* `evaluation`: compare a run with its assertions, and its output with the last good one
* `state`: the states of a check, and the messages that their changes cause
* `settings`: a check: its settings, its program, its rows
* `runs`: a run: from a due row or an event through a submission to its own events
* `cards`: events of checks for chat services
* `public_views`: the status page in HTML, and badges
* `views`, `api`: what clients see of checks; routes of checks and of quiet times
* `run_api`: what clients see of runs and outages, and their routes
* `pings`: a heartbeat: runs that a job elsewhere reports
* `calls`: signed calls that start runs: their signatures, secrets, log and routes
* `status_api`: the settings, rows and routes of status pages and badges
"""
