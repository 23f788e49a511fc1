# expect: AC
# attack: T7 system_v_segment: opens a segment of the host through the C library, whose key the input names
# alone: two controls: the namespace, and the filter of this language, which has no such call
import ctypes

key = int(input().split()[1])
libc = ctypes.CDLL(None, use_errno=True)
libc.shmget.argtypes = [ctypes.c_int, ctypes.c_size_t, ctypes.c_int]
if libc.shmget(key, 0, 0) >= 0:
    print("ESCAPED found memory of the host")
