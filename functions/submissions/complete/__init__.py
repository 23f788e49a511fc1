"""End a submission.

completion_of_message.py  the final state, from the message of a runner or a failure of the platform
judge_runs.py       what judge runs do here; `functions.judging` implements it
completed_event.py  the event of the end; completed_card.py shows it in a chat
run_webhooks.py     the deliveries of that event that endpoints want
final_state_transaction.py  write final state, quota and webhooks in one transaction
record.py           apply the messages of runners: start, end, heartbeat
announce.py         put the events of final submissions on the event bus
"""
