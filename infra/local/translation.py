"""Turns template.yaml into plain CloudFormation resources, with the translator that deployments use.

A program of its own, as the translator would keep 18 MB of the launcher's memory: `template` runs it.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

from infra.sam_template import TemplateInvalidError, read, translate


def main(path: Path) -> None:
    """Write the template, or `{"error": ...}`. References to parameters stay, so that the answer is good for all."""
    document = read(path)
    template = {name: document.get(name, {}) for name in ("Parameters", "Conditions")}
    try:
        # The local stack imports the code from the tree.
        resources = translate(copy.deepcopy(document), None, "s3://local/code")["Resources"]
        answer = template | {"Resources": resources}
    except TemplateInvalidError as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
