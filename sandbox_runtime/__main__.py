"""`python -m sandbox_runtime`: hand the arguments to the commands."""

import sys

from sandbox_runtime.commands import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
