import threading
before = threading.main_thread()
def work(n, before):
    before.join()
    print("thread", n)
for n in range(4):
    thread = threading.Thread(target=work, args=(n, before))
    thread.start()
    before = thread
print("main ends")
