import sys, threading
print(sys.gettrace(), sys.getprofile(), sys.getswitchinterval(), sys.get_int_max_str_digits(), sys.dont_write_bytecode, sys.warnoptions, sys._xoptions, threading.gettrace())
