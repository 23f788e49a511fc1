"""A run of a check, from a due row to its events.

* `model`: a run, and its statuses
* `fire`: due checks get runs
* `steps`: the steps of a run: submit its program, look for its end, publish its events
* `submit`: a run becomes a submission
* `complete`: the end of a run: evaluate it, move the state of the check, store the events
* `ended`: what the end of a run leaves: its events, and its summary
* `event_bodies`: what these events say
* `rows`, `store`: the rows of runs, and the index of due rows
* `hints`: messages that name a run whose next step may be due
* `statistics`: figures of the history
* `clock_repair`: after a clock that ran ahead
"""
