import sys, os
sys.stdout.write("a")
os.write(1, b"b")
sys.stdout.write("c\n")
