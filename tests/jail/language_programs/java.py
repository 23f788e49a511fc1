"""Small Java programs, one for each case."""


def program(body: str, members: str = "") -> str:
    return (
        "import java.nio.file.*;\nimport java.util.*;\n\npublic class Main {\n"
        f"{members}\n    public static void main(String[] a) throws Exception {{ {body} }}\n}}\n"
    )


_REST = 'new Thread(() -> { try { Thread.sleep(60000); } catch (InterruptedException e) { } }, "rest")'

_BEFORE = 'System.out.println("before"); '

PROGRAMS = {
    "hello": program("System.out.println(6 * 7);"),
    "echo": program("System.in.transferTo(System.out); System.out.flush();"),
    "exit_7": program("System.exit(7);"),
    "unicode": program('String größe = "Привет, 世界 🎉"; System.out.println(größe);'),
    "flood": program(
        _BEFORE + 'String y = "y".repeat(65536);'
        " do System.out.print(y); while (!System.out.checkError()); throw new IllegalStateException();"
    ),
    "buffers": program(_BEFORE + "List<byte[]> all = new ArrayList<>(); for (;;) all.add(new byte[1 << 20]);"),
    "objects": program(_BEFORE + 'List<String> all = new ArrayList<>(); for (long i = 0;; i++) all.add("text" + i);'),
    "endless": program(_BEFORE + "for (long i = 0;; i++) { }"),
    "sleep": program(_BEFORE + "Thread.sleep(60000);"),
    "garbage": program(
        "long n = 0; for (int k = 0; k < 60; k++) { List<int[]> x = new ArrayList<>();"
        ' for (int i = 0; i < 100000; i++) x.add(new int[4]); n += x.size(); } System.out.println("ok");'
    ),
    "throw": program(_BEFORE + 'throw new IllegalStateException("broken");'),
    "warning": program('List all = new ArrayList(); all.add("ok"); System.out.println(all.get(0));'),
    "broken": 'public class Main {\n    public static void main(String[] a) {\n        int x = "s";\n    }\n}\n',
    "threads": program(
        "int[] n = new int[8]; Thread[] all = new Thread[8];"
        " for (int i = 0; i < 8; i++) { int k = i; all[i] = new Thread(() -> n[k] = k); all[i].start(); }"
        " for (Thread t : all) t.join(); System.out.println(Arrays.stream(n).sum());"
    ),
    "thread_bomb": program(f"for (;;) {{ Thread t = {_REST}; t.setDaemon(true); t.start(); }}"),
    "recursion": program(_BEFORE + "System.out.println(f(0));", "    static int f(int n) { return f(n + 1) + 1; }"),
    "deep": program("System.out.println(f(50000));", "    static int f(int n) { return n > 0 ? f(n - 1) + 1 : 0; }"),
    "limits": program('System.out.print(Files.readString(Path.of("/proc/self/limits")));'),
}
