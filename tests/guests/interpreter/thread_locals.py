import threading
local = threading.local()
local.value = "main"
def work(): print(hasattr(local, "value"), threading.current_thread() is threading.main_thread())
t = threading.Thread(target=work)
t.start()
t.join()
print(local.value, threading.main_thread().name, threading.current_thread().ident == threading.main_thread().ident)
