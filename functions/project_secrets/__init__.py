"""Secrets of a project: values that the runner's relay adds to requests of a program, which never sees them.

`store`  the rows, and how a value is sealed
`api`    the routes of /api/secrets
"""
