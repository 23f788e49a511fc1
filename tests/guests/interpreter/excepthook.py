import sys
def hook(kind, value, trace):
    print("hook", kind.__name__, value, sys._getframe().f_back, sys.last_exc is value)
sys.excepthook = hook
1 / 0
