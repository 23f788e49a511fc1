import sys
sys.exit("schade: ünïcödé \udcff")
