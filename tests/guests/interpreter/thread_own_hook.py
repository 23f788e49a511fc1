import threading
threading.excepthook = lambda found: print("hook", found.exc_type.__name__, found.exc_value, found.thread.name)
t = threading.Thread(target=lambda: 1 / 0, name="worker")
t.start()
t.join()
