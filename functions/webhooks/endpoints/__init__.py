"""Webhook endpoints of projects.

`model`     an endpoint: its settings, for bodies, rows and answers, its filters, and its health
`traffic`   counted attempts, and the rule that degrades an endpoint
`requests`  what a client sends, checked, with `custom_headers`; the settings after it
`views`     what a client sees, and the filters of the list
`store`     rows, reads, and who gets an event
`changes`   create once for each Idempotency-Key, change and delete, each in one transaction
`health`    the health in the row, due for a check after a failure; counted successes
"""
