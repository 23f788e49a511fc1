"""Judge0 CE at /judge0.

api.py       the routes, and the shape of errors: parse, run, answer
requests.py  what a client sends, checked as there, as the body of POST /api/submit
views.py     a submission with the requested fields, and the body of a callback; its configuration and languages
"""
