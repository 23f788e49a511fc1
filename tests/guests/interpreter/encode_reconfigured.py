import sys
sys.stdout.reconfigure(encoding="ascii", errors="xmlcharrefreplace")
sys.stderr.reconfigure(encoding="latin-1", errors="backslashreplace")
print("ünï")
raise ValueError("ü €")
