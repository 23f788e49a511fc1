"""The routes of submissions, one table for each class that answers: an entry point imports only its own.

submit.py   POST /api/submit
results.py  /api/result and /api/results
health.py   languages and health
answers.py  what these and the routes of judge runs share
"""
