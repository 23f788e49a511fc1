"""Send a submission to a runner.

queues.py         the message that requests one execution; over a queue: the normal way
direct_run.py     over HTTP while a client waits
runner_client.py  the HTTP client of that, with its connections and runners
"""
