"""Runs that an event starts.

* `start`: start a run for an event, once
* `signatures`: the schemes of signed calls, one function each
* `call_names`: id and type of a call
* `selection`: which calls run a check
* `verification`: scheme and secret, as a client sends them
* `call_run`: the run of a signed call
* `inbound`: take a signed call
* `inbound_secrets`: their secrets, sealed
* `logged_call`, `call_log`: the last calls with their outcomes
* `requested`: the event check.requested of the bus
* `follow`: the end of another check's run, or of a submission
* `submission_triggers`: find the checks that a submission starts
* `event_store`: secrets of inbound calls, and ids of events that have started a run
* `request_limit`: the limit of requested runs in an hour
"""
