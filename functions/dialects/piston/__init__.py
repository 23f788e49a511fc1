"""Piston v2 at /piston: its API is synchronous and keeps nothing.

api.py        the routes, and the shape of errors
routes.py     parse, run, answer
runtimes.py   its languages, with versions from the runners' toolchains
versions.py   ranges of versions
requests.py   what a client sends, checked as there, as the body of POST /api/submit
views.py      a final submission as its answer
"""
