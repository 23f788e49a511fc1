open("mine.py", "w").write("def f(:\n    pass\n")
import mine
