"""A program in a JVM that was started before it sees the same as in a fresh one, and nothing of other programs."""

import os
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO
from zipfile import ZipFile

import pytest

from sandbox_runtime import prewarm as pool_module
from sandbox_runtime.jail import JailSpec, Outcome, Slot, StopReason, open_slot
from sandbox_runtime.languages import binds, compile_spec, prepare, run_spec, waiting_specs
from sandbox_runtime.languages.java import JAVA
from sandbox_runtime.prewarm import PrewarmedSlot, WaitingPool
from tests.choice import whole_but
from tests.guest_files import guest
from tests.jail.decided import decided_outcome
from tests.jail.hostile.host_state import host_state
from tests.jail.language_programs.table import REAL_INPUT, REAL_OUTPUT, REAL_PROGRAMS
from tests.jail.processes import processes_of
from tests.jail.slots import TOOLCHAINS, slot_config
from tests.until import until

LIMITS = JAVA.run_limits("judge")


def main(body: str, imports: str = "") -> str:
    return (
        f"import java.util.*; import java.io.*; import java.nio.file.*; {imports}\npublic class Main {{\n{body}\n}}\n"
    )


def statements(text: str) -> str:
    return main("public static void main(String[] a) throws Throwable {\n" + text + "\n}")


@dataclass
class Java:
    """Both ways of running a program; `opened`: the slots of the pool, by their number."""

    own: Slot
    pool: WaitingPool
    opened: dict[int, Slot]

    def wait(self, spec: JailSpec) -> None:
        until(lambda: any(slot.healthy and slot.is_ready_for(spec) for slot in list(self.opened.values())))

    def fresh(self, spec: JailSpec) -> Outcome:
        """In a JVM that is started for it."""
        return decided_outcome(lambda: self.own.run(spec))

    def running(self, code: str, stdin: bytes = b"") -> JailSpec:
        """Compile it in a JVM of its own, and give the step that runs it."""
        artifact = self.fresh(self.compiling(code)).artifact
        assert artifact is not None
        return run_spec(JAVA, code.encode(), artifact, limits=LIMITS, stdin=stdin)

    def waiting(self, code: str, stdin: bytes = b"") -> Outcome:
        """Both steps by commands that waited, else this fails."""
        artifact = self.in_pool(self.compiling(code)).artifact
        assert artifact is not None
        return self.in_pool(run_spec(JAVA, code.encode(), artifact, limits=LIMITS, stdin=stdin))

    def in_pool(self, spec: JailSpec) -> Outcome:
        return decided_outcome(lambda: self._in_pool_once(spec))

    def _in_pool_once(self, spec: JailSpec) -> Outcome:
        self.wait(spec)
        outcome = self.pool.answer(spec)
        assert outcome is not None
        assert outcome.evidence.controls_missing == ()
        assert outcome.evidence.cleanup_verified
        return outcome

    def compiling(self, code: str) -> JailSpec:
        assert JAVA.compile is not None
        return compile_spec(JAVA, JAVA.compile, code.encode())

    def slot_of(self, spec: JailSpec) -> Slot:
        self.wait(spec)
        return next(slot for slot in self.opened.values() if slot.is_ready_for(spec))


@pytest.fixture(scope="module")
def java() -> Iterator[Java]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool_module, "QUIET_SECS", 0.0)  # these tests want the next one at once
        yield from opened_java()


def opened_java() -> Iterator[Java]:
    prepare(JAVA, TOOLCHAINS)
    mounts = binds([JAVA], TOOLCHAINS)
    opened: dict[int, Slot] = {}

    def open_entry(index: int) -> Slot:
        opened[index] = open_slot(slot_config(f"waiting-{index}", 56 + index, mounts))
        return opened[index]

    pool = WaitingPool(waiting_specs([JAVA], TOOLCHAINS), open_entry)
    with open_slot(slot_config("not-waiting", 55, mounts)) as own:
        pool.start()
        try:
            yield Java(own, pool, opened)
        finally:
            pool.close()


def facts(outcome: Outcome) -> Mapping[str, object]:
    """The facts that must be equal on both ways."""
    return {
        "exit code": outcome.exit_code,
        "signal": outcome.signal,
        "stop": outcome.stop_reason,
        "stdout": outcome.stdout,
        "stderr": outcome.stderr,
    }


def entries(artifact: bytes | None) -> Mapping[str, bytes] | None:
    """Return the files of a jar, without their times."""
    if artifact is None:
        return None
    with ZipFile(BytesIO(artifact)) as jar:
        return {name: jar.read(name) for name in jar.namelist()}


# One for each way to end. Each costs more than a second of CPU time, most of it to compile it: `make test` runs few.
SAME = {
    "looks": statements(guest("waiting/looks.java")),
    "uncaught": statements(
        'System.out.println("before"); throw new RuntimeException("outer", new IOException("inner"));'
    ),
    "exit code, exit hooks": statements(
        'Runtime.getRuntime().addShutdownHook(new Thread(() -> System.out.println("hook")));'
        ' System.out.println("main"); System.exit(7);'
    ),
    "a thread outlives main, a daemon does not": statements(
        "Thread t = new Thread(() -> { while (true) {} }); t.setDaemon(true); t.start();"
        " System.out.println(t.getName());"
        " new Thread(() -> { try { Thread.sleep(100); } catch (InterruptedException e) {}"
        " System.out.println(1); }).start();"
    ),
    "uncaught beside a thread": statements(
        "new Thread(() -> { System.out.println(1); }).start(); throw new Exception();"
    ),
    "main of another class": "class Other { public static void main(String[] a) { System.out.println(2); } }",
    "failing initialiser": main("static int x = 1 / 0; public static void main(String[] a) {}"),
    "missing class": statements('Class.forName("Missing");'),
    "deep recursion": main(
        "static int depth(int n) { return n == 0 ? 0 : 1 + depth(n - 1); }"
        " public static void main(String[] a) { System.out.println(depth(60000)); }"
    ),
    "endless recursion": main(
        "static int depth(int n) { return 1 + depth(n + 1); } public static void main(String[] a) {"
        ' try { depth(0); } catch (StackOverflowError e) { System.out.println("overflow"); } }'
    ),
    "closed output": statements("System.out.close(); System.out.println(1); System.err.println(2);"),
    "a name of ours": (
        "package rustbox.warming; public class WarmUp {"
        " public static void main(String[] a) { System.out.println(1); } }"
    ),
}
# Few, because another compiler has to get ready for each: that costs seconds of CPU time.
COMPILED_THE_SAME = {
    "errors": main('int x = "text";\n' + "\n".join(f"int f{n}() {{ return x{n}; }}" for n in range(120))),
    "a warning, names of ours, a class beside, lambdas, an annotation processor": (
        "package rustbox.warming; import java.util.*; import javax.annotation.processing.*;"
        " import javax.lang.model.element.TypeElement;"
        ' class Other { public static void main(String[] a) { Runnable r = () -> System.out.println("n" + a.length);'
        f" List l = new ArrayList(); l.add(r); r.run(); int deep = {'(' * 300}1{')' * 300}; }} }}"
        ' @SupportedAnnotationTypes("*") public class WarmUp extends AbstractProcessor {'
        " public boolean process(Set<? extends TypeElement> a, RoundEnvironment r) { return false; } }"
    ),
}


@pytest.mark.parametrize("name", whole_but(SAME, ["looks", "uncaught", "a name of ours"]))
def test_a_program_sees_and_shows_the_same_in_a_jvm_that_waited(java: Java, name: str) -> None:
    spec = java.running(SAME[name], b"a line\nanother\n")
    waited, fresh = java.in_pool(spec), java.fresh(spec)
    assert b"ESCAPED" not in waited.stdout
    assert facts(waited) == facts(fresh)
    assert waited.stdout.endswith(b"no newline") == (name == "looks"), "each of its blocks was reached"


@pytest.mark.parametrize("name", whole_but(COMPILED_THE_SAME, ["errors"]))
def test_a_compiler_that_waited_says_and_makes_the_same(java: Java, name: str) -> None:
    code = COMPILED_THE_SAME[name]
    waited, fresh = java.in_pool(java.compiling(code)), java.fresh(java.compiling(code))
    assert facts(waited) == facts(fresh)
    assert entries(waited.artifact) == entries(fresh.artifact)
    assert (waited.artifact is None) == (name == "errors"), waited
    assert waited.stderr != b""


def test_a_long_program_runs_in_a_jvm_that_waited(java: Java) -> None:
    assert java.waiting(REAL_PROGRAMS["java"], REAL_INPUT).stdout == REAL_OUTPUT


def test_of_many_that_want_a_jvm_one_gets_it(java: Java) -> None:
    spec = java.compiling(statements(""))
    java.wait(spec)
    with ThreadPoolExecutor(8) as threads:
        outcomes = list(threads.map(lambda _: java.pool.answer(spec), range(8)))
    assert [outcome.artifact is not None for outcome in outcomes if outcome is not None] == [True]


def test_a_jvm_that_waited_is_used_once(java: Java) -> None:
    code = statements(
        'Files.writeString(Path.of("/tmp/marker"), "x"); Files.writeString(Path.of("/dev/shm/marker"), "x");'
        ' System.setProperty("marker", "x"); System.out.println(ProcessHandle.current().pid());'
    )
    seen = statements(
        'System.out.println(Files.exists(Path.of("/tmp/marker")) + " " + Files.exists(Path.of("/dev/shm/marker"))'
        ' + " " + System.getProperty("marker"));'
    )
    assert java.in_pool(java.running(code)).exit_code == 0
    assert java.in_pool(java.running(seen)).stdout == b"false false null\n"


def test_limits_count_from_the_start_of_the_program(java: Java) -> None:
    sleeping = java.in_pool(java.running(statements("Thread.sleep(300); System.out.println(1);")))
    assert sleeping.stdout == b"1\n"
    assert sleeping.cpu_usec < 300_000 <= sleeping.wall_usec
    assert sleeping.own_wall_usec < 5_000_000
    hungry = statements("var l = new ArrayList<byte[]>(); while (true) l.add(new byte[1 << 20]);")
    heap = java.in_pool(java.running(hungry))
    assert heap.stop_reason is StopReason.OOM_KILL


def test_usage_of_a_waiting_jvm_does_not_count_for_the_program(java: Java) -> None:
    code = statements('System.out.println("before"); while (true) {}')
    artifact = java.fresh(java.compiling(code)).artifact
    limits = replace(LIMITS, cpu_time_secs=0.3, wall_time_secs=25)
    spec = run_spec(JAVA, code.encode(), artifact, limits=limits, stdin=b"")
    with open_slot(slot_config("waiting-limits", 59, binds([JAVA], TOOLCHAINS))) as slot:
        slot.prewarm(spec)
        until(lambda: slot.is_ready_for(spec))
        busy = slot.answer(spec)
    assert (busy.stop_reason, busy.stdout) == (StopReason.CPU_LIMIT, b"before\n")
    assert 300_000 <= busy.cpu_usec < 3_000_000


def test_other_limits_get_a_jvm_of_their_own(java: Java) -> None:
    code = statements("System.out.println(1);")
    compiled = java.fresh(java.compiling(code))
    other = replace(LIMITS, memory_bytes=LIMITS.memory_bytes // 2)
    spec = run_spec(JAVA, code.encode(), compiled.artifact, limits=other, stdin=b"")
    java.wait(run_spec(JAVA, b"", None, limits=LIMITS, stdin=b""))
    assert java.pool.answer(spec) is None
    assert PrewarmedSlot(java.own, java.pool).answer(spec).stdout == b"1\n"


def test_a_file_above_the_limit_of_a_waiting_jvm_goes_to_a_jvm_of_its_own(java: Java) -> None:
    spec = run_spec(JAVA, b"", b"", limits=LIMITS, stdin=b"")
    java.wait(spec)
    (file,) = spec.files
    for size_bytes, is_taken in ((LIMITS.max_file_bytes, True), (LIMITS.max_file_bytes + 1, False)):
        asked = replace(spec, files=(replace(file, content=bytes(size_bytes)),))
        assert any(slot.is_ready_for(asked) for slot in java.opened.values()) is is_taken


def test_a_jvm_that_was_killed_while_it_waited_costs_nothing_but_time(java: Java) -> None:
    code = statements("System.out.println(1);")
    spec = java.compiling(code)
    slot = java.slot_of(spec)
    for pid in processes_of(slot.uid):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not processes_of(slot.uid))
    outcome = PrewarmedSlot(java.own, java.pool).answer(spec)
    assert outcome.artifact is not None


def test_a_closed_pool_leaves_nothing_and_answers_no_more(java: Java) -> None:
    opened: list[Slot] = []

    def open_entry(index: int) -> Slot:
        opened.append(open_slot(slot_config(f"closing-{index}", 60 + index, binds([JAVA], TOOLCHAINS))))
        return opened[-1]

    java.wait(java.compiling(""))
    java.wait(run_spec(JAVA, b"", None, limits=LIMITS, stdin=b""))
    before = host_state(java.own)
    specs = waiting_specs([JAVA], TOOLCHAINS)
    pool = WaitingPool(specs, open_entry)
    pool.start()
    until(lambda: len(opened) == len(specs) and all(processes_of(slot.uid) for slot in opened))
    pool.close()
    assert pool.answer(java.compiling(statements(""))) is None
    assert [processes_of(slot.uid) for slot in opened] == [[], []]
    assert host_state(java.own) == before
