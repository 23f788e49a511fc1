# expect: AC
# attack: T16 file_locks: locks of ranges, which are the kernel's memory and charged to no group
# control: seccomp
import fcntl
import os
import struct

ONE_BYTE = "hhlli4x"
OFD_SETLK = 37
with open("mine", "w+b") as stream:
    for start in range(0, 2000, 2):
        try:
            fcntl.fcntl(stream, fcntl.F_SETLK, struct.pack(ONE_BYTE, fcntl.F_WRLCK, os.SEEK_SET, start, 1, 0))
        except OSError as error:
            print("SQLite could not work:", error)
    child = os.fork()
    if child == 0:
        asked = struct.pack(ONE_BYTE, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind = struct.unpack(ONE_BYTE, fcntl.fcntl(stream, fcntl.F_GETLK, asked))[0]
        if kind != fcntl.F_UNLCK:
            print("ESCAPED the kernel holds its locks", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
    for command in (fcntl.F_SETLKW, OFD_SETLK, fcntl.F_SETLEASE):
        argument = fcntl.F_WRLCK
        if command != fcntl.F_SETLEASE:
            argument = struct.pack(ONE_BYTE, fcntl.F_WRLCK, os.SEEK_SET, 9000, 1, 0)
        try:
            fcntl.fcntl(stream, command, argument)
            print("ESCAPED has a lock by command", command)
        except OSError:
            pass
