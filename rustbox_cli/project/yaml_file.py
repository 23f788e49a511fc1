"""Read a YAML file that may come from a stranger's pull request: bounded, and with the line of every value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError, ExitCode
from rustbox_cli.output import plain

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MAX_BYTES = 2 * 1024 * 1024
MAX_VALUES = 100_000
"""Of a file, each alias counted as often as what it stands for: ten lines of aliases can stand for billions."""


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file. `root`: its node; None of an empty file."""

    value: Any
    root: Any

    def line(self, place: Iterable[str | int]) -> int:
        """Return the line of a key or an item; of the closest one above it that is there."""
        node, line = self.root, 1
        for step in place:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line


def _child(node: Any, step: str | int) -> tuple[int, Any] | None:
    """Return the line and the node of a value in a mapping or a list."""
    if isinstance(step, int):
        items = node.value if isinstance(getattr(node, "value", None), list) else []
        return (items[step].start_mark.line + 1, items[step]) if step < len(items) else None
    pairs = node.value if hasattr(node, "flow_style") and isinstance(node.value, list) else []
    for pair in pairs:
        if isinstance(pair, tuple) and pair[0].value == step:
            return pair[0].start_mark.line + 1, pair[1]
    return None


def parse(path: Path) -> Document:
    """Read a file. Raises CommandError."""
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - other commands start faster without it

    raw = _read(path)

    def refuse(problem: str, node: Any) -> Any:
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
        """YAML without traps: a key twice and a number without an end are refused, and a time stays a text."""

        values = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.values += 1
            node = super().compose_node(parent, index)
            return node if self.values <= MAX_VALUES else refuse(_TOO_MANY, node)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT002 - the signature of yaml
            keys = set()
            for each, _ in node.value:
                key = self.construct_object(each) if isinstance(each, yaml.ScalarNode) else None
                if key is not None and key in keys:
                    refuse(f"the key {key!r} is there twice", node)
                keys.add(key)
            return super().construct_mapping(node, deep=deep)

        def construct_yaml_float(self, node: Any) -> Any:
            number = super().construct_yaml_float(node)
            return number if math.isfinite(number) else refuse("this is no number", node)

    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_constructor("tag:yaml.org,2002:float", Loader.construct_yaml_float)
    try:
        loader = Loader(raw)
        try:
            root = loader.get_single_node()
            if root is not None and _count(root, {}) > MAX_VALUES:
                refuse(_TOO_MANY, root)
            return Document(None if root is None else loader.construct_document(root), root)
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CommandError(plain(f"{path} is not valid YAML: {error}"), ExitCode.REFUSED) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.NOT_FOUND) from None
    if len(raw) > MAX_BYTES:
        raise CommandError(f"{path} is larger than {MAX_BYTES:,} bytes.", ExitCode.REFUSED)
    return raw


_TOO_MANY = f"the file has more than {MAX_VALUES:,} values, its aliases written out"


def _count(node: Any, counts: dict[int, int]) -> int:
    """Return the number of values of a node; too many for one inside of itself. Raises ValueError: half a character."""
    if isinstance(node.value, str):
        node.value.encode()
        return 1
    if id(node) not in counts:
        counts[id(node)] = MAX_VALUES + 1  # of a node inside of itself
        inner = [part for each in node.value for part in (each if isinstance(each, tuple) else (each,))]
        counts[id(node)] = min(1 + sum(_count(each, counts) for each in inner), MAX_VALUES + 1)
    return counts[id(node)]
