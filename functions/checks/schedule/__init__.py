"""When a check runs.

`expression` parses `cron(...)`, plain cron and `rate(...)` in a time zone, and yields the times. `cron` has the fields.
"""
