import importlib, sys
sys.dont_write_bytecode = True
open("mine.py", "w").write("value = 1\n")
import mine
print(mine.value)
open("mine.py", "w").write("value = 'another'\n")
print(importlib.reload(mine).value)
