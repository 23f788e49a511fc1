"""`languages`: what this host can run."""

import json
import os
import sys

from sandbox_runtime import settings
from sandbox_runtime.languages import LANGUAGES, offered, version


def list_languages(*, is_json: bool) -> int:
    """Print every language with the version of its toolchain, or that it is missing."""
    toolchains_dir = settings.toolchains_dir(os.environ)
    present = offered(toolchains_dir)
    versions = {name: version(language, toolchains_dir) for name, language in present.items()}
    if is_json:
        sys.stdout.write(json.dumps({"languages": list(present), "toolchains": versions}) + "\n")
    else:
        for language in LANGUAGES:
            sys.stdout.write(f"{language.name:12} {versions.get(language.name, 'toolchain missing')}\n")
    return 0
