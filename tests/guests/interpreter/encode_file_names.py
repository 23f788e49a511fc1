import os
open("näme", "w").write("ü")
print(sorted(os.listdir()), os.listdir(b"."), open("näme").encoding, os.fsdecode(b"\xff").encode("utf-8", "backslashreplace"))
