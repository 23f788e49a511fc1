"""What a client sees of a submission.

views.py       the bodies of answers
output.py      the streams, from the row or the bucket
parameters.py  query parameters
results.py     read a submission of a project, and answer with it
list_store.py  lists of a project's submissions
delete.py      delete a submission with all its data
"""
