# The C library knows the id of the main thread: another thread can send it a signal, and its clock can be read.
import signal
import threading
import time

received = threading.Event()
signal.signal(signal.SIGUSR1, lambda number, frame: received.set())
main = threading.main_thread()
sender = threading.Thread(target=lambda: signal.pthread_kill(main.ident, signal.SIGUSR1))
sender.start()
sender.join()
print(received.wait(5), main.native_id == threading.get_native_id())
print(time.clock_gettime(time.pthread_getcpuclockid(main.ident)) > 0)
