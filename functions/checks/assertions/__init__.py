"""The conditions on a run.

* `kinds`: assertions as clients write them, with their JSON paths and their regular expressions in bounded time
* `evaluation`: compare a run with its assertions and with the last good output
"""
