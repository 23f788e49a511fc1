"""Checks: saved programs that run on a schedule, and events when their state changes.

A reader begins with the folders, lowest first. None imports one that follows it in this list:

* `schedule`: when a check runs: expressions and their times
* `assertions`: the conditions on a run, and their evaluation
* `state`: the states of a check, and the messages that their changes cause
* `keys`: the keys of the table
* `settings`: a check: its settings, its program, its rows
* `runs`: a run: from a due row through a submission to its events
* `events`: runs that an event starts: signed calls, the bus, other checks, submissions
* `status_pages`: what everybody with its address may see: the page of chosen checks, and badges
* `pings`: a heartbeat: runs that a job elsewhere reports
* `deployment`: the wiring of all this
* `views`, `cards`: what clients see, and chat services
* `routes`, `run_routes`: the answers to clients; the second has runs, signed calls and pings
* `status_api`: routes and answers of the status page and of badges
* `api`: the tables of all other routes; `openapi`: the events of checks for the document
"""
