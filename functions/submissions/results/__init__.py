"""What a client sees of a submission.

results.py      query parameters; a submission of a project, its streams and artifacts; answer with it, delete it
views.py        the bodies of results
short_views.py  compact results, items of lists, parts of an output
list_store.py   lists of a project's submissions
overview.py     counts of a project by hour, and the body that shows them
"""
