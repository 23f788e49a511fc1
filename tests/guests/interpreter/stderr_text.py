import sys
print("to err", file=sys.stderr)
sys.stderr.write("surrogate \udcff\n")
