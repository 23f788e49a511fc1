import threading
ended = threading.Event()
def work():
    ended.wait()
    print("timer", threading.current_thread().name.partition("-")[0], threading.current_thread().daemon)
timer = threading.Timer(0, work)
cancelled = threading.Timer(100, print)
timer.start()
cancelled.start()
cancelled.cancel()
cancelled.join()
print("main ends", threading.active_count())
ended.set()
