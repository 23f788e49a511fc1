# expect: AC
# attack: T22 load_from_tmp: loads a library that it wrote into a shared directory
# control: noexec_mounts
import ctypes
import glob
import shutil

library = glob.glob("/usr/lib/*/libdl.so.2")[0]
for place in ("/tmp/copy.so", "/dev/shm/copy.so"):
    shutil.copy(library, place)
    try:
        ctypes.CDLL(place)
    except OSError:
        continue
    print("ESCAPED loaded", place)
