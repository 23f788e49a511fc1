"""Accept a submission.

requests.py        the body of POST /api/submit, checked
program_fields.py  limits, files, arguments, compiler options and artifacts of its program
acceptance.py      find an earlier submission with the same key, charge the quota; run it directly or queue it
"""
