"""The HTTP API, in the order of a request.

1. `http_protocol` bounds uvicorn's heads, times and connections. `gateway` matches the route.
   Under `make up` it first refuses pages of other sites.
2. `key_owners` tells the project.
3. `request_threads` has the shares and threads that projects may hold, and runs the call.
   `http_event` makes the event of it, and the answer of its result.
   `site` answers for the documentation of `make up`.
4. `state_watch` lets the answer leave when its data are on the disk.
"""
