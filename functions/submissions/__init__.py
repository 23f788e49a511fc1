"""Submissions: a program from the request to the result. Read it in this order.

model.py      a submission, its statuses, its completion and its Idempotency-Key
rows.py       keys and indexes of the table; store.py changes rows, claims.py the Idempotency-Keys
accept/       check a request, charge the quota, and start the submission
runners/      the runners and their languages, from their heartbeats
run/          send it to a runner: over a queue, or directly over HTTP
cancel/       cancel a submission, and tell its runner
complete/     write the final state with its webhooks; apply what runners report
results/      what a client sees of it: results, lists, deletion
sweep/        send again whatever was lost; settle messages that nobody could process
deployment.py the stores and use cases of this part, made when they are first used, over runner_deployment.py
routes/       HTTP: parse, call one use case, answer
"""
