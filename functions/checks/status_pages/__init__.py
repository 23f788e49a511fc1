"""What everybody with its address may see of checks.

* `page`: the status page of a project: its settings, its rows and its HTML
* `badge`: the state of one check as a picture, for shields.io, and as JSON
"""
