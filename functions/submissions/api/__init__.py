"""The routes of submissions: parse, call one use case, answer. An entry point imports only the tables that it serves.

submit.py   POST /api/submit
results.py  /api/result and /api/results
health.py   languages and health
answers.py  what these and the routes of judge runs share
"""
