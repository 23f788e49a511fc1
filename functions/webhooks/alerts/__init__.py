"""Alerts: events about failing endpoints and deliveries, for the project's other endpoints.

`alerts`           due rows: the health of endpoints, exhausted deliveries
`disabled_events`  an endpoint that failures disabled
`events`           the bodies
"""
