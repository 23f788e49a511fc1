"""How executions come in, in the order of a message's way.

1. `intakes` starts and stops all of it.
2. `polling` receives messages when a slot is free or soon will be.
3. `queue_intake` handles one message, from parsing to deletion. `direct_intake` handles one HTTP request.
4. `running_submissions` tells both which submissions this runner works on, and which it has ended.
5. `visibility` keeps messages invisible to other runners while they wait or run.
"""
