import sys
sys.stdin.read()
input()
