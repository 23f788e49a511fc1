"""End a submission.

final_state_transaction.py  write final state, quota and webhooks in one transaction
completed_event.py          the event of the end, its deliveries, and its way to the event bus
record.py                   apply the messages of runners: start, end, heartbeat, and dead letters
"""
