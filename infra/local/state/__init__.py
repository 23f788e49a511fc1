"""Commands and checks over a stack's state folder.

`admin_key` makes the administrator's key. `export` writes a file for `make import`, with its rows, their secrets and
files. `backup_commands` makes and restores backups, and refuses a state that a newer version has used.
"""
