"""A check: what a client sets, and how it lies in the table.

* `check_settings`: the settings: the form of requests, of rows and of runs
* `triggers`: the trigger among them: the end of another check's run, or of a submission; the data of an event
* `requests`: check and normalise what a client sends; the JSON Schema of checks.yaml, made from the settings
* `trigger_rows`: triggers in rows of their own; submissions that start checks
* `store`: a check with its settings, state and next time; its rows and their changes; outages; quiet times of tags
* `changes`: what a change must hold beside its settings: sealed secrets, stored files, hosts, triggers without a loop
"""
