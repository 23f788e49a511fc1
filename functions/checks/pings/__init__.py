"""Pings: jobs elsewhere report their ends to a heartbeat.

* `store`: tokens, and the bodies of pings
* `take`: a ping becomes a run that has ended, and moves the state of its check
"""
