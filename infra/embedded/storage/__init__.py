"""The file under the engine, from its use to the disk.

1. `store` is the SQLite file for many threads and processes: transactions, one writer at a time. It has its tables and
   their migrations, opens it at a start, and finds frames that its log dropped.
2. `files` brings commits and other files to the disk, once for all that wait, and tells why it cannot. It has the large
   objects, each a file beside the database.
"""
