"""How executions come in, in the order of a message's way.

1. `polling` receives messages when a slot is free or soon will be.
2. `queue_intake` handles one message, from parsing to deletion. `direct_intake` handles one HTTP request.
3. `running_submissions` tells both which submissions this runner works on, and which it has ended.
4. `visibility` keeps messages invisible to other runners while they wait or run.
"""
