import sys
print("begun", __name__, "solution" in sys.modules)
if __name__ == "__main__":
    import solution
    print(solution is sys.modules["__main__"], solution.__file__, __file__)
