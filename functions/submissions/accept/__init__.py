"""Accept a submission.

requests.py        the body of POST /api/submit, checked
program_fields.py  limits, files, arguments, compiler options and artifacts of its program
acceptance.py      find an earlier submission with the same key, charge the quota, start
start.py           charge the quota; run it directly, or write its row and send it to a queue
"""
