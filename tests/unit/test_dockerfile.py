"""Python that the image's build runs names things that exist: `make test-image`, which runs it, is no part of CI."""

import ast
import importlib
import re
from pathlib import Path

import pytest

_DOCKERFILE = Path(__file__).resolve().parents[2] / "sandbox_runtime" / "Dockerfile"
_SNIPPETS = re.findall(r'python -c "([^"]+)"', _DOCKERFILE.read_text())


@pytest.mark.parametrize("snippet", _SNIPPETS)
def test_a_snippet_of_the_image_imports_what_exists(snippet: str) -> None:
    imports = [node for node in ast.parse(snippet).body if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        module = importlib.import_module(node.module or "")
        assert [name.name for name in node.names if not hasattr(module, name.name)] == []
