"""Runs that an event starts.

* `start`: start a run for an event, once: the rows of events, the limit of requested runs in an hour, the checks that
  follow another's run or a submission, and the event check.requested of the bus
* `submission_triggers`: find the checks that a submission starts; the stream loads nothing else of this folder
* `signatures`: the schemes of signed calls, one function each; id and type of a call; scheme and secret of a client
* `inbound`: take a signed call: its secret, which calls run a check, the run, and the log of the last calls
"""
