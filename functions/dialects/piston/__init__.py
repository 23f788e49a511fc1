"""Piston v2 at /piston: its API is synchronous and keeps nothing.

api.py        the routes
runtimes.py   its languages, with versions from the runners' toolchains
routes.py     parse, run, answer
"""
