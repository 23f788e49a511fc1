"""The file under the engine, from its use to the disk.

1. `store` is the SQLite file for many threads and processes: transactions, one writer at a time.
2. `opening` checks and opens it at a start; `schema` has its tables and their migrations.
3. `group_flush` brings commits to the disk, once for all that wait. `durable` does so for other files.
4. `object_files` are the large objects, each a file beside the database.
5. `dropped_frames` and `trouble` find out why the file cannot be used.
"""
