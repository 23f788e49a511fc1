"""`rustbox`: the API from a terminal. It knows the service by its HTTP contract only."""

VERSION = "0.1.0"
