import sys
try:
    sys.exit(2.0)
except SystemExit as e:
    print(repr(e.code))
sys.exit(2.0)
