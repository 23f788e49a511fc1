"""Submissions: a program from the request to the result. Read it in this order.

model.py            a submission, its statuses, its completion and its Idempotency-Key
store.py            its table
accept/             check a request, charge the quota, and start the submission
queues.py           the message that requests its execution, and the queues
direct.py           run it on a runner over HTTP while a client waits
runners/            the runners and their languages, from their heartbeats
cancellation.py     cancel a submission
live_output.py      read its output, also while it runs
completion.py       apply what runners report; write the final state with its quota and webhooks
completed_event.py  the event of its end, its spans and metrics
results/            what a client sees of it: results, lists, deletion
sweeper.py          send again whatever was lost
submit_api.py       POST /api/submit
results_api.py      /api/result and /api/results
"""
