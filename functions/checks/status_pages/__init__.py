"""The status page of a project: a public page of chosen checks.

* `model`: what a project chooses, and what is shown of a check
* `store`: its row, and that of its token
* `page`: the page in HTML
"""
