"""A check: what a client sets, and how it lies in the table.

* `check_settings`: the settings: the form of requests, of rows and of runs
* `triggers`: the trigger among them: the end of another check's run, or of a submission
* `pings`: of a heartbeat: what each ping says, and how many count
* `quiet_times`, `quiet_store`: when changes of a state are not sent
* `event_data`: the form in which a program gets the data of an event
* `requests`: check and normalise what a client sends
* `file_schema`: the JSON Schema of checks.yaml, made from the settings
* `model`: a check with its settings, state and next time
* `rows`, `store`: its rows, and their changes
* `outages`: outages that are over, as rows
* `trigger_store`: the triggers of a project, each in a row of its own
* `trigger_rules`: refuse a trigger that cannot work, or that closes a loop
* `variables`: the variables of its program, sealed
"""
