"""Judging: one program against many test cases.

body.py           the body of POST /api/judge, and the rules over several of its fields; requests.py checks the whole
model.py          the plan of a judge run, and its score
runs.py           its progress, its end and its event
views.py          what a client sees
api.py            the routes of /api/judge
problems.py       problems kept on the service, so that test data is sent once: what a client sends and sees
problem_store.py  their rows; store a version, find one for a judge run, delete it when no run can need it any more
problem_api.py    the routes of /api/problems

The cases of problems are files of the project (`functions.files`), which the versions hold.
"""
