"""Accept a submission.

requests.py         the body of POST /api/submit, checked; limits.py checks its `limits`
kind.py             what differs between runs and judge runs
acceptance.py       find an earlier submission with the same key, charge the quota, start
quota_admission.py  charge the quota of a project, and refund it
start.py            run it directly, or write its row and send it to a queue
"""
