"""A project's events: the list, one event, the catalogue of types, and the log that consumers poll."""
