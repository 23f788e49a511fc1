import argparse, sys
sys.argv.append("--help")
argparse.ArgumentParser(description="adds").parse_args()
