"""The contract between the functions and the runners: vocabulary, rules and messages.

Both sides import it, and never each other. Each is deployed with a copy of its own, so the two may be of different
versions: `released/` has the messages that the last minor version sends. Modules without messages use the standard
library only: a runner's jail and its templates import nothing else.
"""


class MessageInvalidError(ValueError):
    """A message that breaks its rules. `field`: the path of a wrong field; "": the whole message.

    Neither has a part of the content, which may be a user's program.
    """

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        self.problem = problem
        super().__init__(f"{field or 'message'}: {problem}")
