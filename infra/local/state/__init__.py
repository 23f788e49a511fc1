"""Commands and checks over a stack's state folder.

`admin_key` makes the administrator's key, `backup_commands` makes and restores backups, `export` writes a file for
`make import`: `moved_rows` finds its rows, `sealed_rows` opens and seals their secrets. `state_version` refuses a
state that a newer version has used.
"""
