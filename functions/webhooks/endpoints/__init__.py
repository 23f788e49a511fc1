"""Webhook endpoints of projects.

`model`                                   an endpoint: its settings, for bodies, rows and answers, and its health
`requests`, `custom_headers`, `settings`  what a client sends, checked; the settings after it
`filters`, `subscribers`                  which events an endpoint gets
`views`, `list_filters`                   what a client sees, and the filters of the list
`rows`, `traffic_rows`                    how it lies in DynamoDB
`store`, `subscriber_cache`               reads
`changes`, `creation_claims`              create, change and delete, each in one transaction
`traffic`, `health_rule`, `health_store`  counted attempts, the rule that degrades, the health in the row
"""
