"""The template as plain CloudFormation resources, and the intrinsic functions that it uses."""

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, Final

from infra.local.settings import StartError

_PLACEHOLDER = re.compile(r"\$\{([^!}][^}]*)\}")
_NO_VALUE: Final = object()


@dataclass(frozen=True, slots=True)
class Template:
    """Resources by logical id, still with intrinsics, and all that they refer to.

    `parameters`: their values, and those of pseudo parameters such as `AWS::Region`.
    `values`: attributes of resources by logical id; "Ref" is what `!Ref` gives.
    """

    resources: dict[str, dict[str, Any]]
    parameters: dict[str, str]
    conditions: dict[str, Any]
    values: dict[str, dict[str, str]]

    def of_types(self, types: Container[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield logical id, type and resolved properties of the resources of some types."""
        for logical_id, resource in self.resources.items():
            if resource["Type"] in types:
                yield logical_id, resource["Type"], self.resolve(resource.get("Properties", {}))

    def resolve(self, node: Any) -> Any:
        """Return the node with every intrinsic replaced; StartError on one that is not known."""
        resolved = self._node(node)
        return None if resolved is _NO_VALUE else resolved

    def _node(self, node: Any) -> Any:
        if isinstance(node, list):
            return [value for value in map(self._node, node) if value is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            (name, argument) = next(iter(node.items()))
            if name in {"Ref", "Condition"} and isinstance(argument, str):
                return self._ref(argument) if name == "Ref" else self.condition(argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self._node(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self.parameters:
            return self.parameters[name]
        return self._attribute(name, "Ref")

    def _attribute(self, logical_id: str, attribute: str) -> str:
        try:
            return self.values[logical_id][attribute]
        except KeyError:
            raise StartError(f"template.yaml: the local stack has no value for {logical_id}.{attribute}") from None

    def condition(self, name: str) -> bool:
        """Evaluate a named condition of the template."""
        if name not in self.conditions:
            raise StartError(f"template.yaml: no condition {name}")
        return bool(self._node(self.conditions[name]))

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Fn::GetAtt":
                logical_id, _, attribute = (
                    argument.partition(".") if isinstance(argument, str) else (argument[0], "", argument[1])
                )
                return self._attribute(logical_id, attribute)
            case "Fn::Sub":
                return self._substitute(argument)
            case "Fn::Join":
                return argument[0].join(str(part) for part in self._node(argument[1]))
            case "Fn::If":
                return self._node(argument[1] if self.condition(argument[0]) else argument[2])
            case "Fn::Equals":
                left, right = self._node(argument)
                return str(left) == str(right)
            case "Fn::Not":
                return not self._node(argument[0])
            case _:
                raise StartError(
                    f"template.yaml: the local stack does not know {name}: add it to declarations/template.py"
                )

    def _substitute(self, argument: Any) -> str:
        template, names = (argument, {}) if isinstance(argument, str) else argument

        def replace(match: re.Match[str]) -> str:
            name = match[1]
            if name in names:
                return str(self._node(names[name]))
            if "." in name:
                return self._attribute(*name.split(".", 1))
            return str(self._ref(name))

        return _PLACEHOLDER.sub(replace, template).replace("${!", "${")
