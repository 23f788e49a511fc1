"""The type of the fixture that invokes the command line."""

from collections.abc import Callable

from click.testing import Result

type Rustbox = Callable[..., Result]
