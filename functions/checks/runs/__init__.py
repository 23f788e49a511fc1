"""A run of a check, from a due row to its events.

* `model`: a run, its statuses, its commit, and figures of the history
* `steps`: due checks get runs; the steps of a run: submit its program, look for its end, publish its events
* `complete`: the end of a run: evaluate it, move the state of the check, store the events, report to a commit
* `event_bodies`: the events of an end, and what they say
* `store`: the rows of runs, and the index of due rows
* `hints`: messages that name a run whose next step may be due
"""
