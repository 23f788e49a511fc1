"""Webhook endpoints of projects.

`model`     an endpoint: its settings, for bodies, rows and answers, its filters, counted attempts, and its health
`requests`  what a client sends, checked; the settings after it
`store`     rows, reads, and who gets an event; create once for each Idempotency-Key, change and delete
"""
