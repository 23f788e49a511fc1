import sys
numbers = open(sys.argv[1]).read().split()
open(sys.argv[3] + "judgemessage.txt", "w").write("seen")
output = sys.stdin.read().split()
print("sum of", len(numbers), "numbers")
sys.exit(42 if output == [str(sum(map(int, numbers)))] else 43)
