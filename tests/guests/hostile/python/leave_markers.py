# expect: AC
# attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
# control: private_mounts
import os
import socket

for place in ("/tmp", "/dev/shm", "."):
    found = set(os.listdir(place)) - {"solution.py"}
    if found:
        print("ESCAPED found", place, found)
    open(f"{place}/marker-of-python", "w").close()
    os.symlink("/etc/passwd", f"{place}/link")
server = socket.socket(socket.AF_UNIX)
try:
    server.bind("\0rustbox-marker")
except OSError as error:
    print("ESCAPED abstract socket", error)
