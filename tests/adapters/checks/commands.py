"""The type of the fixture `rustbox`."""

from collections.abc import Callable

from click.testing import Result

type Rustbox = Callable[..., Result]
