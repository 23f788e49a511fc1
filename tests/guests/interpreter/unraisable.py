import sys
sys.unraisablehook = lambda u: print("unraisable", u.exc_value)
class D:
    def __del__(self): raise ValueError("x")
D()
print("ok")
