import multiprocessing, os, sys
context = multiprocessing.get_context("fork")
for leave in (lambda: sys.exit(3), lambda: sys.exit("text"), lambda: os._exit(4), lambda: None, lambda: os.kill(os.getpid(), 9)):
    p = context.Process(target=leave)
    p.start()
    p.join()
    print(p.exitcode)
