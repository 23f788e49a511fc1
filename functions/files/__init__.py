"""Files of a project, kept by their SHA-256 so that runs can name them.

1. `model` is a file, and what a client sends of it.
2. `store` has the rows of files and artifacts, and the project's count of stored bytes.
3. `objects` is the bucket: where the bytes are, and the URLs to send and fetch them.
4. `use` finds a file and confirms it at its first use, writes a new one within the quota, makes one of an artifact,
   answers a client that wants to store one, holds the files of a run, and deletes them.
5. `aliases` has the ids by which clients of other services know files.
6. `form` reads the files of an uploaded form.
7. `api` has the routes of /api/files with what a client sees, and those of the bytes on one machine.
"""
