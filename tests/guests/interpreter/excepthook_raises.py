import sys
def hook(*a):
    raise TypeError("bad hook")
sys.excepthook = hook
1 / 0
