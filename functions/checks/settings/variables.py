"""The variables of a check: each value is sealed for its check, and opened when a run starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from events.variables import Environment
from functions.checks.settings.check_settings import HIDDEN
from functions.errors import FieldProblem

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from functions.checks.settings.model import Check
    from functions.webhooks.target.secret_box import SecretBoxes


@dataclass(frozen=True, slots=True)
class CheckVariables:
    """Seals and opens the variables of checks."""

    boxes: SecretBoxes

    def sealed(self, check: Check) -> Check:
        """Return a check whose new values are sealed, and hidden in its settings. *** keeps the value that it has.

        Raises ClientError.
        """
        env, had = check.settings.env, check.env_boxes
        sealed = {name: had[name] if text == HIDDEN else self._seal(check, text) for name, text in env.items()}
        return replace(check, settings=check.settings.hidden, env_boxes=sealed)

    def environment(self, check: Check, event_variables: Mapping[str, str]) -> Environment | None:
        """Return the variables of a run, with those of its event. Raises UnsealError, ClientError."""
        opened = {name: self._open(check, box) for name, box in check.env_boxes.items()}
        variables = {**opened, **event_variables}
        return Environment(variables, tuple(opened)) if variables else None

    def _seal(self, check: Check, text: str) -> bytes:
        """Seal a value. An empty one has an empty box: KMS seals no empty text."""
        return self.boxes.seal(text, check.project_id, _owner_of(check), "environment") if text else b""

    def _open(self, check: Check, box: bytes) -> str:
        return self.boxes.open(box, check.project_id, _owner_of(check), "environment") if box else ""


def kept_problems(env: Mapping[str, str], had: Container[str]) -> Iterator[FieldProblem]:
    """Yield the variables whose value is to be kept, and that have none. `had`: the names before."""
    for name, text in env.items():
        if text == HIDDEN and name not in had:
            yield FieldProblem(f"env.{name[:64]}", f"There is no value to keep; {HIDDEN} is none.")


def _owner_of(check: Check) -> str:
    """Return the owner of a check's values in the encryption context."""
    return f"check:{check.check_id}"
