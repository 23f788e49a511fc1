"""The ordinary command of gcc with other sources and options."""


def with_options(ordinary: tuple[str, ...], sources: tuple[str, ...], options: tuple[str, ...]) -> tuple[str, ...]:
    """Add sources before the libraries of an ordinary command, and options at its end, where they win.

    A header in quotes is looked up in the working directory too.
    """
    end = max(place for place, word in enumerate(ordinary) if not word.startswith("-l")) + 1
    return (*ordinary[:end], *sources, *ordinary[end:], "-iquote", ".", *options)
