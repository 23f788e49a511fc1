import multiprocessing
def f(n): return n * 2
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    q = context.SimpleQueue()
    p = context.Process(target=lambda: q.put(f(21)))
    p.start()
    p.join()
    print(q.get(), p.exitcode)
