"""Judging: one program against many test cases.

body.py      the body of POST /api/judge, and the rules over several of its fields; requests.py checks the whole
model.py     the plan of a judge run; score.py computes its points
runs.py      its way to a runner, its progress, its end and its event
views.py     what a client sees
api.py       the routes of /api/judge
problems/    problems kept on the service
"""
