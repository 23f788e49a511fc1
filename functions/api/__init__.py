"""What the HTTP entry points share: routing, authentication, the one error mapping, and the steps of a request."""
