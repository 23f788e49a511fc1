f = open("out.txt", "w")
f.write("data")
import atexit, os
atexit.register(lambda: print(os.path.getsize("out.txt")))
