import multiprocessing
def f(q): q.put(6)
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    q = context.SimpleQueue()
    p = context.Process(target=f, args=(q,))
    p.start()
    p.join()
    print(q.get(), p.exitcode)
