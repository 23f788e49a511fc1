import ctypes
ctypes.CDLL(None).printf(b"from C %d\n", 5)
