"""AWS's cloudformation-validate over templates, in the judges' environment: writes [template, place, rule, text]."""

import json
import sys
from pathlib import Path

from cloudformation_validate import CompositeEngine, Severity

# INFO names properties that replace a resource, and resources without tags: remarks, not findings.
engine = CompositeEngine()
json.dump(
    [
        [Path(name).stem, getattr(found.entity, "logical_id", None) or "Template", found.rule_id, found.message]
        for name in sys.argv[1:]
        for found in engine.validate_template(name).diagnostics
        if found.severity.value >= Severity.WARN.value
    ],
    sys.stdout,
)
