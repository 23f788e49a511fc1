import sys, inspect
print(sys._getframe().f_back, len(inspect.stack()), sys._getframe().f_code.co_name)
