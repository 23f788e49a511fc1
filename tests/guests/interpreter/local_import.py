open("mine.py", "w").write("print(__name__, __file__)\nvalue = 5\n")
import mine
print(mine.value, mine.__spec__.origin)
