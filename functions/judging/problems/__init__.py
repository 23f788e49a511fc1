"""Problems kept on the service, so that test data is sent once and not with every submission.

1. `model` is a problem and a version of it; `rows` and `store` are their rows.
2. `body` and `requests` are what a client sends; `content` makes the object that all runners read, and its hash.
3. `push` stores a version, `lookup` finds one for a judge run, `removal` deletes it when no run can need it any more.
4. `views`, `routes` and `api` are the routes of /api/problems.

The cases are files of the project (`functions.files`), which the versions of its problems hold.
"""
