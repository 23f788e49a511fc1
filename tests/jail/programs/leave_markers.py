# expect: AC
# attack: T7 leaves marks everywhere and looks for marks of an earlier run; prints ESCAPED if it finds one
import os
import socket

for place in ("/tmp", "/dev/shm", "."):
    names = set(os.listdir(place)) - {"solution.py"}
    if names:
        print("ESCAPED", place, names)
    open(f"{place}/marker", "w").close()
    os.symlink("/etc/passwd", f"{place}/link")
server = socket.socket(socket.AF_UNIX)
try:
    server.bind("\0rustbox-marker")
except OSError as error:
    print("ESCAPED abstract socket", error)
