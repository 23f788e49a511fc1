"""One request to a receiver. Knows neither endpoints nor deliveries.

`webhook_url`  the allowed URLs and IP addresses
`signature`    how a request is signed, and its headers
`secret_box`   secrets at rest
`egress`       send it to a checked address, within its limits
"""
