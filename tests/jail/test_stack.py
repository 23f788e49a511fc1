"""The stack of a program grows with its memory limit, and threads pay for it with address space only."""

from collections.abc import Callable

import pytest

from events.completed import ExecutionCompleted
from events.program import RequestedLimits
from tests.completions import ended, streams
from tests.jail.language_programs.table import NAMES, PROGRAMS

Run = Callable[..., ExecutionCompleted]

# Each searches a chain of 150,000 vertices in depth.
SEARCHES = {
    "c": """
#include <stdio.h>
static int next[150001];
static int depth(int vertex) {
    volatile char seen[600]; seen[0] = 1;
    int found = next[vertex] == 0 ? 0 : depth(next[vertex]);
    return found + seen[0];
}
int main(void) {
    for (int i = 0; i < 149999; i++) next[i] = i + 1;
    printf("%d\\n", depth(0));
    return 0;
}
""",
    "cpp": """
#include <cstdio>
#include <functional>
#include <vector>
int main() {
    std::vector<std::vector<int>> next(150000);
    for (int i = 0; i < 149999; i++) next[i].push_back(i + 1);
    std::function<int(int)> depth = [&](int vertex) {
        volatile char seen[400]; seen[0] = 1;
        int found = seen[0];
        for (int other : next[vertex]) found += depth(other);
        return found;
    };
    printf("%d\\n", depth(0));
}
""",
    "rust": """
fn depth(next: &Vec<Vec<usize>>, vertex: usize) -> u64 {
    let seen = std::hint::black_box([1u64; 100]);
    let mut found = seen[vertex % 100];
    for &other in &next[vertex] { found += depth(next, other); }
    found
}
fn main() {
    let next: Vec<Vec<usize>> = (0..150000).map(|i| if i < 149999 { vec![i + 1] } else { vec![] }).collect();
    println!("{}", depth(&next, 0));
}
""",
    "java": """
import java.util.*;
public class Main {
    static List<List<Integer>> next = new ArrayList<>();
    static int depth(int vertex, long a, long b) {
        int found = 1;
        for (int other : next.get(vertex)) found += depth(other, a + 1, b * 3);
        return found;
    }
    public static void main(String[] words) {
        for (int i = 0; i < 150000; i++) next.add(i < 149999 ? List.of(i + 1) : List.of());
        System.out.println(depth(0, 1, 2));
    }
}
""",
    "javascript": """
const next = Array.from({length: 150000}, (_, i) => i < 149999 ? [i + 1] : [])
function depth(vertex) {
  let found = 1
  for (const other of next[vertex]) found += depth(other)
  return found
}
console.log(depth(0))
""",
}


@pytest.mark.parametrize("name", [name for name in SEARCHES if name in NAMES])
def test_a_search_of_150_000_frames_fits_the_default_limits(run: Run, name: str) -> None:
    completed = run(name, SEARCHES[name])
    assert (ended(completed)[0], streams(completed)[0]) == ("AC", b"150000\n"), completed


@pytest.mark.parametrize("name", [name for name in ("c", "java", "javascript") if name in NAMES])
def test_a_stack_may_be_lowered(run: Run, name: str) -> None:
    completed = run(name, SEARCHES[name], limits=RequestedLimits(stack_mb=1))
    assert ended(completed)[0] in {"SIG", "RE"}, completed


@pytest.mark.parametrize("name", [name for name in ("c", "java", "javascript") if name in NAMES])
def test_an_endless_recursion_ends_as_it_does_outside_with_the_most_memory(run: Run, name: str) -> None:
    """The agent profile has 1,024 MB, and a stack by it."""
    completed = run(name, PROGRAMS[name]["recursion"], profile="agent")
    assert ended(completed)[0] in {"SIG", "RE"}, completed


_THREADS = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
static int deep(int level) { volatile char page[4096]; page[0] = 1; return level ? page[0] + deep(level - 1) : 0; }
static void *work(void *nothing) { return (void *)(long)deep(100); }
int main(void) {
    struct rlimit stack;
    getrlimit(RLIMIT_STACK, &stack);
    if (stack.rlim_cur == RLIM_INFINITY || stack.rlim_cur != stack.rlim_max) return 3;
    for (int round = 0; round < 20; round++) {
        pthread_t threads[COUNT];
        for (int i = 0; i < COUNT; i++) if (pthread_create(&threads[i], NULL, work, NULL)) return 4;
        for (int i = 0; i < COUNT; i++) pthread_join(threads[i], NULL);
    }
    puts("done");
    return 0;
}
"""


@pytest.mark.parametrize(("profile", "count"), [("judge", 6), ("agent", 30)])
@pytest.mark.skipif("c" not in NAMES, reason="the tests are told which toolchains this host has")
def test_many_threads_reserve_address_space_and_not_memory(run: Run, profile: str, count: int) -> None:
    completed = run("c", f"#define COUNT {count}{_THREADS}", profile=profile)
    assert (ended(completed)[0], streams(completed)[0]) == ("AC", b"done\n"), completed
    assert completed.metrics is not None
    assert completed.metrics.memory_peak_bytes < 64 << 20
