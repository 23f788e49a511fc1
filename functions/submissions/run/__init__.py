"""Send a submission to a runner.

execution_request.py   the message that requests one execution
queues.py              over a queue: the normal way
direct_runners.py      the runners that are called over HTTP
direct_run.py          over HTTP while a client waits
runner_client.py       the HTTP client of that; runner_connections.py keeps its connections
"""
