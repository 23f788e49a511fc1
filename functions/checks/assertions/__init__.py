"""The conditions on a run.

* `kinds`: assertions as clients write them
* `patterns`: regular expressions in bounded time
* `json_path`: values of a JSON output
* `evaluation`: compare a run with its assertions
* `difference`: the difference from the last good output
"""
