"""One request to a receiver. Knows neither endpoints nor deliveries.

`address`, `address_rules`    the allowed URLs and IP addresses
`hosts`                       the host of a URL, for lanes
`signature`, `headers`        how a request is signed, and its headers
`secret_box`                  secrets at rest
`egress`, `pinned_connection` send it to a checked address, within its limits
"""
