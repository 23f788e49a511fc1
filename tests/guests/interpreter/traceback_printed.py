import sys, traceback
def f(): raise KeyError("k")
try:
    f()
except KeyError:
    traceback.print_exc()
    print(traceback.format_exc(limit=1))
    print([(frame.name, frame.lineno, frame.line) for frame in traceback.extract_tb(sys.exc_info()[2])])
print(len(traceback.extract_stack()), traceback.format_stack())
