"""Judge0 CE at /judge0.

api.py            the routes, and the shape of errors
routes.py         parse, run, answer
requests.py       what a client sends, checked as there, as the body of POST /api/submit
kept_request.py   what of it the answers repeat, in the metadata of the submission
views.py          a submission with the requested fields, and the body of a callback
languages.py      its ids of our languages
config.py         the configuration that clients read
"""
