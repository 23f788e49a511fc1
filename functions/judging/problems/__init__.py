"""Problems kept on the service, so that test data is sent once and not with every submission.

1. `model` is a problem and a version of it, and what a client sees of them; `store` has their rows.
2. `requests` is what a client sends.
3. `versions` makes the object that all runners read, stores a version, finds one for a judge run, and deletes it when
   no run can need it any more.
4. `api` has the routes of /api/problems.

The cases are files of the project (`functions.files`), which the versions of its problems hold.
"""
