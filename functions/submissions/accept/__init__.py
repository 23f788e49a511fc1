"""Accept a submission.

requests.py     the body of POST /api/submit and its limits, checked
file_fields.py  its files, arguments, compiler options and artifacts
acceptance.py   find an earlier submission with the same key, charge the quota, start
start.py        charge the quota; run it directly, or write its row and send it to a queue
"""
