import os, sys
os.makedirs("space/inner")
open("space/inner/mine.py", "w").write("print(__name__, __package__)\n")
import space.inner.mine
print(list(space.__path__), space.__file__, sys.path[0])
