import sys
sys.setrecursionlimit(5000)
d = 0
def f():
    global d
    d += 1
    f()
try:
    f()
except RecursionError:
    print(d)
