"""Run programs with the published clients of SandboxFusion; print what they got as JSON.

Arguments: the address with the key in its path, the folder where verl's package is. Of verl only its reward function is
loaded, two files by their hashes: the package itself imports torch.
"""

import asyncio
import base64
import importlib.util
import json
import logging
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import sandbox_fusion  # type: ignore[import-not-found]  # the clients have an environment of their own
from sandbox_fusion import GetPromptsRequest, RunCodeRequest, RunJupyterRequest, TestConfig

URL, PACKAGES = sys.argv[1:]
REWARD = {
    "__init__.py": "0cdc74091cb1b151edea9cf9710606d0b4093a649eb4fd6c366c5ed70032f55e",
    "utils.py": "9e048a4a471ae200dd594836d39c869ff0224207fc58ef0820937b59f67a2930",
}


def official() -> dict[str, object]:
    sandbox_fusion.set_endpoint(URL)
    content = base64.b64encode(b"from a file\n").decode()
    program = "import sys; sys.stdout.write(open('data/in.txt').read()); open('out.txt', 'w').write(input())"
    request = RunCodeRequest(
        code=program, language="python", stdin="42", files={"data/in.txt": content}, fetch_files=["out.txt", "none.txt"]
    )
    ran = sandbox_fusion.run_code(request)
    later = asyncio.run(sandbox_fusion.run_code_async(request))
    broken = sandbox_fusion.run_code(RunCodeRequest(code="int main() { return x; }", language="cpp"))
    mapping = sandbox_fusion.SummaryMapping(CompileFailed="does not compile", RunFailed="fails", RunTimeout="too long")
    endings = [
        sandbox_fusion.run_code(RunCodeRequest(code=code, language="python", run_timeout=secs))
        for code, secs in (
            ("raise SystemExit(3)", 20),
            ("import time; time.sleep(20)", 1),
            ("import os; os.abort()", 20),
        )
    ]
    return {
        "status": ran.status,
        "stdout": ran.run_result.stdout,
        "files": {name: base64.b64decode(text).decode() for name, text in ran.files.items()},
        "async": later.run_result.stdout,
        "endings": [sandbox_fusion.summary_run_code_result(one, mapping) for one in (ran, broken, *endings)],
        "return_codes": [one.run_result.return_code for one in endings],
        "compiler": broken.compile_result.stderr,
        "refused": [
            failure(lambda: sandbox_fusion.run_code(RunCodeRequest(code="1", language="pytest"), max_attempts=1)),
            failure(lambda: sandbox_fusion.run_jupyter(RunJupyterRequest(cells=["1"]), max_attempts=1)),
            failure(lambda: sandbox_fusion.get_prompts(GetPromptsRequest(dataset="x", config=TestConfig()))),
        ],
    }


def failure(call: object) -> str:
    try:
        call()  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - the client raises nothing else
        return str(error)
    return ""


def reward_function() -> ModuleType:
    folder = Path(PACKAGES) / "verl/utils/reward_score/sandbox_fusion"
    for name, digest in REWARD.items():
        assert sha256((folder / name).read_bytes()).hexdigest() == digest, name
    spec = importlib.util.spec_from_file_location(
        "reward", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["reward"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def verl() -> dict[str, object]:
    reward, cases = reward_function(), {"inputs": ["1 2", "3 4", "5 6"], "outputs": ["3", "7", "11"]}

    def score(code: str, given: object = cases, secs: int = 20) -> tuple[float, list[str]]:
        completion = f"```python\n{code}\n```"
        points, found = reward.compute_score(f"{URL}/run_code", None, 1024, completion, given, timeout=secs)
        return points, [one["status"] for one in found]

    add = "print(sum(map(int, input().split())))"
    called = {"fn_name": "add", "inputs": ["1\n2", "[1]\n[2]"], "outputs": ["3", "[1, 2]"]}
    asserted = {"assert_case": ["assert add(1, 2) == 3", "assert add(1, 2) == 4"]}
    return {
        "right": score(add),
        "wrong": score("print(7)"),
        "raises": score("print(1 // 0)"),
        "does not compile": score("int a = 1"),
        "too long": score("import time; time.sleep(20)", secs=1),
        "function": score("def add(a, b):\n    return a + b", called),
        "assertions": score("def add(a, b):\n    return a + b", asserted),
    }


logging.disable(logging.CRITICAL)
sys.stdout.write(json.dumps({"sandbox-fusion": official(), "verl": verl()}))
