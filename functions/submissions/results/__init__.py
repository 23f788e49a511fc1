"""What a client sees of a submission.

results.py      query parameters; read a submission of a project, answer with it, delete it
views.py        the bodies of results
short_views.py  compact results, items of lists, parts of an output
outputs.py      the streams and artifacts, from the row or the bucket
list_store.py   lists of a project's submissions
"""
