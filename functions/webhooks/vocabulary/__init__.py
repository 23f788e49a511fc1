"""Words that all parts of webhooks share.

`event_types`     names of events, and versions of their fields
`reply`           the result of one send
`retry_schedule`  delays between attempts, and Retry-After
"""
