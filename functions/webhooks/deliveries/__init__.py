"""Deliveries: one event for one endpoint.

`model`                        states, and the state after each response
`rows`, `store`                how they lie in DynamoDB
`publication`, `outbox`        store an event with its deliveries, then send hints
`hints`                        queue messages that name a due delivery
`due`                          entries of the due index, for the sweeper
`views`, `list_store`          what a client sees; lists
`latencies`                    a sample of an endpoint's latencies
`replay`, `recover`            send again
`deletions`                    cancel what a deleted endpoint leaves open
`exhausted_store`              counted deliveries that failed for good, for an alert
"""
