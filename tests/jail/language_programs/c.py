"""Small C programs, one for each case."""


def program(body: str, before: str = "") -> str:
    headers = "".join(f"#include <{name}.h>\n" for name in ("stdio", "stdlib", "string", "math", "unistd", "pthread"))
    return f"{headers}{before}\nint main(void) {{ {body} }}\n"


_BEFORE = 'puts("before"); fflush(stdout); '

PROGRAMS = {
    "hello": program('printf("%d\\n", 6 * 7); return 0;'),
    "echo": program(
        "char b[65536]; size_t n; while ((n = fread(b, 1, sizeof b, stdin))) fwrite(b, 1, n, stdout); return 0;"
    ),
    "exit_7": program("exit(7);"),
    "unicode": program('const char *größe = "Привет, 世界 🎉"; puts(größe); return 0;'),
    "flood": program(_BEFORE + 'for (;;) fputs("yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", stdout);'),
    "buffers": program(_BEFORE + "for (;;) { char *p = malloc(1 << 20); if (!p) return 3; memset(p, 1, 1 << 20); }"),
    "objects": program(_BEFORE + "for (;;) { char *p = malloc(40); if (!p) return 3; memset(p, 1, 40); }"),
    "endless": program(_BEFORE + "volatile unsigned i = 0; for (;;) i++;"),
    "sleep": program(_BEFORE + "sleep(60); return 0;"),
    "garbage": program(
        'for (int i = 0; i < 3000; i++) free(memset(malloc(1 << 20), 1, 1 << 20)); puts("ok"); return 0;'
    ),
    "throw": program(_BEFORE + "abort();"),
    "warning": program('signed char s = 300; puts(s == 44 ? "ok" : "bad"); return 0;', "#warning careful"),
    "broken": "int main(void) {\n    return x;\n}\n",
    "threads": program(
        "pthread_t t[6]; long sum = 0; for (long i = 0; i < 6; i++) pthread_create(&t[i], 0, same, (void *)i);"
        ' for (int i = 0; i < 6; i++) { void *r; pthread_join(t[i], &r); sum += (long)r; } printf("%ld\\n", sum);'
        " return 0;",
        "void *same(void *p) { return p; }",
    ),
    "thread_bomb": program(
        "for (;;) { pthread_t t; if (pthread_create(&t, 0, rest, 0)) return 1; }",
        "void *rest(void *p) { sleep(60); return p; }",
    ),
    "recursion": program(
        _BEFORE + 'printf("%d\\n", f(0)); return 0;',
        "int f(volatile int n) { volatile int a[4]; a[n & 3] = n; return f(n + 1) + a[n & 3]; }",
    ),
    "deep": program('printf("%d\\n", f(50000)); return 0;', "int f(volatile int n) { return n ? f(n - 1) + 1 : n; }"),
    "limits": program(
        'char b[8192]; FILE *f = fopen("/proc/self/limits", "r"); fwrite(b, 1, fread(b, 1, sizeof b, f), stdout);'
        " return 0;"
    ),
}
