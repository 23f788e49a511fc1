# expect: RE SIG MLE
# attack: T20 deep_recursion: uses up the stack, with the interpreter's own guard lifted
# alone: it meets the stack's own end, in a jail or not
import sys

sys.setrecursionlimit(1 << 30)


def depth(level: int) -> int:
    return max(depth(level + 1), level)


print(sorted([[0]], key=lambda _: depth(0)))
