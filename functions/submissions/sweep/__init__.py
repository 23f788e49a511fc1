"""Repair what was lost, every minute.

backlog.py       rows that are due, in a fair order
begun_runs.py    whether a later run has begun, which tells that a message is lost
sweeper.py       handle one due submission; due_webhooks.py handles due rows of webhooks
shared_sweep.py  one sweep on several threads
dead_letters.py  settle the messages of the dead-letter queues
"""
