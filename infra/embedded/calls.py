"""Parameters and answers of calls, as botocore's clients give and get them."""

from typing import Any

type Params = dict[str, Any]
type Answer = dict[str, Any]
