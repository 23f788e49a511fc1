"""A check: what a client sets, and how it lies in the table.

* `check_settings`: the settings: the form of requests, of rows and of runs
* `triggers`: the trigger among them: the end of another check's run, or of a submission; the data of an event
* `requests`: check and normalise what a client sends
* `file_schema`: the JSON Schema of checks.yaml, made from the settings
* `model`: a check with its settings, state, next time and pings
* `store`: its rows, and their changes; outages that are over; quiet times of tags; the files that it holds
* `trigger_store`: the triggers of a project, each in a row of its own; refuse one that cannot work, or closes a loop
* `secret_settings`: the variables of its program and the token of its report, sealed
"""
