"""`rustbox`: the command line client. It uses only the HTTP contract of the service."""

VERSION = "0.1.0"
