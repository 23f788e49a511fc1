import argparse
parser = argparse.ArgumentParser(description="adds")
parser.add_argument("number", type=int)
parser.parse_args()
