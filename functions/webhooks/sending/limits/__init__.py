"""Limits of a project's concurrent sends.

`slots`                    the rule: in total, for each host and each lane
`slot_rows`, `slot_store`  the row of a project, and the updates that take and free a slot
`lane_waker`               hints for parked deliveries when a slot becomes free
"""
