# expect: AC
# attack: T21 raw_calls: makes system calls past the standard library
# control: seccomp
import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"
calls = {
    "unshare": (272 if x86 else 97, 0x10000000),
    "ptrace": (101 if x86 else 117, 0),
    "keyctl": (250 if x86 else 219, 0, -3, 1),
    "process_vm_readv": (310 if x86 else 270, os.getpid(), 0, 0, 0, 0, 0),
    "open_tree": (428, -100, b"/", 0),
}
for name, arguments in calls.items():
    if libc.syscall(*map(lambda part: ctypes.c_long(part) if isinstance(part, int) else part, arguments)) >= 0:
        print("ESCAPED", name)
