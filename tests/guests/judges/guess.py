import sys
hidden = int(open(sys.argv[1]).read())
for _ in range(20):
    word = sys.stdin.buffer.readline(1000)
    if not word.strip().isdigit():
        print("no number", file=sys.stderr)
        sys.exit(2)
    guess = int(word)
    print("=" if guess == hidden else "<" if hidden < guess else ">", flush=True)
    if guess == hidden:
        print("found", file=sys.stderr)
        sys.exit(0)
print("too many guesses", file=sys.stderr)
sys.exit(1)
