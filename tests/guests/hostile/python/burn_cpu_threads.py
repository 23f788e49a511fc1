# expect: TLE
# attack: T17 burn_cpu_threads: threads share work that lets go of the interpreter's lock
# control: cpu_limit
import hashlib
import threading
import time


def derive() -> None:
    while time.process_time() < 0.7:
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 20_000)


threads = [threading.Thread(target=derive) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("ESCAPED four threads burnt 0.7 s of CPU time")
