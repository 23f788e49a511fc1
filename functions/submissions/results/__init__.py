"""What a client sees of a submission.

results.py      query parameters; a submission of a project, its streams and artifacts; answer with it, delete it
views.py        the bodies of results
short_views.py  compact results, items of lists, parts of an output
list_store.py   lists of a project's submissions
run_counts.py   the ends of runs by hour, verdict and duration
overview.py     the body that shows them
"""
