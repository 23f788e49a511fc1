"""Judge0 CE at /judge0.

api.py        the routes
routes.py     parse, run, answer
"""
