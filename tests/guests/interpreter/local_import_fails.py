open("mine.py", "w").write("def f():\n    return 1 / 0\n\n\nf()\n")
import mine
