# expect: AC
# attack: T31 overwrite_interpreter: writes into the program that runs it, by the link in /proc
# alone: the host's files are read-only in every jail, weakened or not
import os

for path in ("/proc/self/exe", os.path.realpath("/proc/self/exe"), os.__file__, "/lib/x86_64-linux-gnu/libc.so.6"):
    try:
        with open(path, "r+b") as stream:
            stream.write(b"\x7fELF")
        print("ESCAPED wrote", path)
    except OSError:
        continue
