"""Checks: saved programs that run on a schedule, and events when their state changes.

A reader begins with the folders, lowest first. None imports one below it in this list:

    schedule/     when a check runs: expressions and their times
    assertions/   the conditions on a run, and their evaluation
    state.py      the states of a check, and the messages that their changes cause
    keys.py       the keys of the table
    settings/     a check: its settings, its program, its rows
    runs/         a run: from a due row through a submission to its events
    events/       runs that an event starts: signed calls, the bus, other checks, submissions

Above them are the answers to clients: `routes`, `inbound_routes` and `badge_routes`, with `views` and `badge`.
"""
