"""Signed calls: a sender elsewhere runs a check.

* `signatures`: the schemes of signed calls; id and type of a genuine call
* `secret`: the scheme and the secret that a client sets, sealed in a row
* `log`: the last calls of a check with their outcomes
* `receiving`: verify a call, start its run or say why it starts none, and write it to the log
* `api`: what senders and clients see of calls, and the routes
"""
