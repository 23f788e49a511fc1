"""One request to a receiver: its address, connection, headers, signature, and secrets at rest."""
