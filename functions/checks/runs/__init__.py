"""A run of a check, from a due row or an event to its own events.

* `run`: a run, its statuses, and its commit
* `statistics`: wall times and uptime of a history
* `store`: rows of runs, and the index of due rows
* `event_bodies`: the events of an end, and what they say
* `hints`: messages that name a run whose next step may be due
* `groups`: calls with one key: after silence one run, or in order, at most n unfinished at a time
* `report`: the status of the commit whose event started a run
* `complete`: the end of a run: evaluate it, move the state of the check, store its events
* `firing`: due checks get runs; times of a wrong clock are repaired
* `start`: start a run for an event, once: rows of events, the limit of an hour, checks that follow another's
  run or a submission, and the event check.requested of the bus
* `program`: submit the program of a run
* `steps`: the steps of a run: submit its program, look for its end, publish its events
"""
