import multiprocessing
def fail(): raise ValueError(__name__)
if __name__ == "__main__":
    p = multiprocessing.get_context("spawn").Process(target=fail, name="failing")
    p.start()
    p.join()
    print(p.exitcode)
