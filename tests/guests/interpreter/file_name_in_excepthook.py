import sys

sys.excepthook = lambda kind, value, trace: print(kind.__name__, __file__)
1 / 0
