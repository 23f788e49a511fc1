"""The linker that gcc drives: mold where it is installed, for it takes a fifth of the time of the default one."""

import os

MOLD = "/usr/bin/mold"


def through_compiler() -> tuple[str, ...]:
    """Options of gcc and g++ (12.1 or later)."""
    return ("-fuse-ld=mold",) if os.access(MOLD, os.X_OK) else ()
