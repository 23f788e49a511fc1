"""A run of a check, from a due row or an event to its own events.

* `evaluation`: compare a run with its assertions and with the last good output
* `store`: a run, its statuses, its commit, and figures of the history; its rows, and the index of due rows
* `event_bodies`: the events of an end, and what they say
* `complete`: the end of a run: evaluate it, move the state of the check, store its events, report to a commit
* `steps`: due checks get runs; the steps of a run: submit its program, look for its end, publish its events
* `hints`: messages that name a run whose next step may be due
* `groups`: calls with one key: after silence one run, or in order, at most n unfinished at a time
* `signatures`: the schemes of signed calls; id and type of a call; scheme and secret of a client
* `start`: start a run for an event, once: rows of events, the limit of an hour, checks that follow another's
  run or a submission, and the event check.requested of the bus
* `calls`: signed calls: which of them run a check, the run of each, and the log of the last ones
"""
