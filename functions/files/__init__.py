"""Files of a project, kept by their SHA-256 so that runs can name them.

1. `model` is a file; `rows` and `store` are its row and the project's count of stored bytes.
2. `objects` is the bucket: where the bytes are, and the URLs to send and fetch them.
3. `upload` answers a client that wants to store a file; `lookup` finds one, and confirms it at its first use;
   `creation` writes a new one within the quota.
4. `use` holds the files of a run; `removal` deletes files, also those that nothing used for a day.
5. `artifact_store` knows artifacts by their hashes; `artifact_copies` makes a file of one that a client names.
6. `routes` and `api` are the routes of /api/files, `content_routes` those of the bytes on one machine.
"""
