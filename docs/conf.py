"""Sphinx makes the site of these pages: `make site`."""

import re
from pathlib import Path
from typing import Any

project = "Rustbox Serverless"
html_title = project
extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["benchmarks"]
myst_heading_anchors = 4
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
html_search_scorer = str(Path(__file__).with_name("search_scorer.js"))
html_extra_path = [
    str(Path(__file__).parents[1] / ".build" / "site-extra")
]  # reference.html, try_it.js, api/openapi.json
# MyST highlights only what Pygments knows without an error.
suppress_warnings = ["misc.highlighting_failure"]

# Folders and pages of the repository outside docs/: the site has their names only.
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./[^)]*(?:/|README\.md))\)")
_REFERENCE = """
## API reference

```{raw} html
<p>Every operation on <a class="reference" href="reference.html">one page</a>, with its curl command,
and a form that sends it to the service of this site. It is made from the
<a class="reference" href="api/openapi.json">OpenAPI document</a> of <code>GET /openapi.json</code>.</p>
```
"""


def _adapt(_app: Any, name: str, source: list[str]) -> None:
    source[0] = _OUTSIDE.sub(r"\1", source[0]).replace("](adr/)", "](adr/index.md)")
    if name == "index":
        source[0] += _REFERENCE


def setup(app: Any) -> None:
    """Adapt links of the repository to the site."""
    app.connect("source-read", _adapt)
