"""Submissions: a program from the request to the result. Read it in this order.

model.py        a submission, its statuses, its completion and its Idempotency-Key
store.py        its table
accept/         check a request, charge the quota, and start the submission
runners/        the runners and their languages, from their heartbeats
run/            send it to a runner: over a queue, or directly over HTTP
cancellation.py cancel a submission, and tell its runner (docs/adr/0033-a-runner-is-told-what-to-stop.md)
live_output.py  its output while it runs
complete/       write the final state with its webhooks; apply what runners report
results/        what a client sees of it: results, lists, deletion
sweeper.py      send again whatever was lost; backlog.py orders the rows that are due
spans.py        its spans and metrics
deployment.py   the stores and use cases of this part, made when they are first used
api/            HTTP: parse, call one use case, answer; and the tables of routes
"""
