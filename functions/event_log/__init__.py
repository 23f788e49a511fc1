"""Events of a project: their rows, the event bus, and the event log that consumers poll. Knows no webhook.

In the order of a reader:

`model`           an event with its bytes, and with less output; an entry of the log; a consumer
`rows`            how both lie in the deliveries table, and entries of replays, tests and samples
`bus`             the EventBridge bus
`log`             entries get their positions and are read; consumers and their committed positions

`functions.feed` has the routes: the list of events, and the poll.
"""
