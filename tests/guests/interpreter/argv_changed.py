import sys
sys.argv[1:] = ["a", "b"]
import sys as again
print(again.argv, len(again.orig_argv))
