"""Checks: saved programs that run on a schedule, and events when their state changes.

A reader begins with the folders, lowest first. None imports one that follows it in this list:

* `schedule`: when a check runs: expressions and their times
* `assertions`: the conditions on a run, and their evaluation
* `state`: the states of a check, and the messages that their changes cause
* `keys`: the keys of the table
* `settings`: a check: its settings, its program, its rows
* `runs`: a run: from a due row through a submission to its events
* `events`: runs that an event starts: signed calls, the bus, other checks, submissions
* `status_pages`: the public page of chosen checks
* `pings`: a heartbeat: runs that a job elsewhere reports
* `deployment`, `run_deployment`: the wiring of all this; the second starts and ends runs
* `dispatch`: due rows and messages of the queue
* `views`, `parameters`, `badge`, `cards`: what clients see, and chat services
* `routes`, `run_routes`, `ping_routes`, `quiet_routes`, `status_routes`, `badge_routes`: the answers to clients
* `inbound`: the answers to signed calls
* `api`, `ping_api`, `status_api`: the tables of the routes; `openapi`: the events of checks for the document
"""
