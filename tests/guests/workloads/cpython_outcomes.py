import json, os, re, unittest
from test import support

class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.found, self.reasons = {}, {}

    def note(self, test, word, reason=""):
        name = test.id() if callable(test.id) else unittest.TestCase.id(test)
        name = re.sub(" at 0x[0-9a-f]+", "", name)
        if self.found.get(name) != "failed":
            self.found[name] = word
            self.reasons[name] = reason[-300:]

    def addSuccess(self, test):
        self.note(test, "passed")

    def addExpectedFailure(self, test, error):
        self.note(test, "passed")

    def addUnexpectedSuccess(self, test):
        self.note(test, "failed", "unexpected success")

    def addSkip(self, test, reason):
        self.note(test, "skipped", reason)

    def addFailure(self, test, error):
        self.note(test, "failed", "".join(self._exc_info_to_string(error, test).strip().splitlines()[-1:]))

    addError = addFailure

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)

own, stdout, outcomes = os.getpid(), os.dup(1), Outcomes()
support.use_resources = []
try:
    unittest.defaultTestLoader.loadTestsFromName("test.MODULE").run(outcomes)
except unittest.SkipTest as reason:
    outcomes.found["MODULE"], outcomes.reasons["MODULE"] = "skipped", str(reason)
if os.getpid() == own:
    with open(stdout, "w") as output:
        output.write("MARK" + json.dumps([outcomes.found, outcomes.reasons]) + "\n")
os._exit(0)
