"""The HTTP API, in the order of a request.

1. `http_protocol` bounds uvicorn's heads, times and connections.
2. Under `make up`, `site` refuses pages of other sites, and answers for the documentation.
3. `gateway` matches the route, and tells the project by its key.
4. `request_threads` has the shares and threads that projects may hold, and runs the call.
5. `answers` makes the event of a request and the answer of a result, which leaves when its data are on the disk.
   `stored_content` has the bodies that are objects.
"""
