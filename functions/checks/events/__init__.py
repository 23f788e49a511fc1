"""Runs that an event starts.

* `start`: start a run for an event, once
* `inbound`: signed calls
* `requested`: the event check.requested of the bus
* `follow`: the end of another check's run, or of a submission
* `submission_triggers`: find the checks that a submission starts
* `event_store`: secrets of inbound calls, and ids of events that have started a run
* `request_limit`: the limit of requested runs in an hour
"""
