"""Parse YAML, and remember the line of every value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rustbox_cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


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

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
        """YAML without two traps: a key twice is refused, and a time stays a text."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT002 - the signature of yaml
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {twice!r} is there twice", node.start_mark
                )
            return super().construct_mapping(node, deep=deep)

    Loader.yaml_implicit_resolvers = {
        first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    try:
        loader = Loader(path.read_bytes())
        try:
            root = loader.get_single_node()
            return Document(None if root is None else loader.construct_document(root), root)
        finally:
            loader.dispose()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", ExitCode.NOT_FOUND) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(f"{path} is not valid YAML: {error}", ExitCode.REFUSED) from None
