"""Small Go programs, one for each case."""


def program(imports: str, body: str, before: str = "") -> str:
    lines = "".join(f'import "{name}"\n' for name in imports.split())
    return f"package main\n\n{lines}{before}\nfunc main() {{ {body} }}\n"


_BEFORE = 'fmt.Println("before"); '

PROGRAMS = {
    "hello": program("fmt", "fmt.Println(6 * 7)"),
    "echo": program("io os", "io.Copy(os.Stdout, os.Stdin)"),
    "exit_7": program("os", "os.Exit(7)"),
    "unicode": program("fmt", 'größe := "Привет, 世界 🎉"; fmt.Println(größe)'),
    "flood": program(
        "os strings",
        'os.Stdout.WriteString("before\\n"); y := strings.Repeat("y", 65536);'
        " for { if _, e := os.Stdout.WriteString(y); e != nil { panic(e) } }",
    ),
    "buffers": program(
        "fmt",
        _BEFORE
        + "var all [][]byte; for { b := make([]byte, 1<<20); for i := range b { b[i] = 1 }; all = append(all, b) }",
    ),
    "objects": program(
        "fmt strconv", _BEFORE + "var all []string; for i := 0; ; i++ { all = append(all, strconv.Itoa(i)) }"
    ),
    "endless": program("fmt", _BEFORE + "for { }"),
    "sleep": program("fmt time", _BEFORE + "time.Sleep(time.Minute)"),
    "garbage": program(
        "fmt",
        "n := 0; for k := 0; k < 60; k++ { var x []*[4]int; for i := 0; i < 100000; i++ { x = append(x, new([4]int)) };"
        ' n += len(x) }; if n == 6000000 { fmt.Println("ok") }',
    ),
    "throw": program("fmt", _BEFORE + 'var m map[string]int; m["a"] = 1'),
    # The Go compiler knows no warnings; `go vet` would complain.
    "warning": program("fmt", 'x := 1; x = x; fmt.Println("ok")'),
    "broken": "package main\n\nfunc main() {\n\tx := 1\n}\n",
    "threads": program(
        "fmt runtime sync",
        "n := make([]int, 8); var w sync.WaitGroup; for i := range n { w.Add(1);"
        " go func() { runtime.LockOSThread(); n[i] = i; w.Done() }() }; w.Wait();"
        " sum := 0; for _, v := range n { sum += v }; fmt.Println(sum)",
    ),
    "thread_bomb": program(
        "runtime time", "for { go func() { runtime.LockOSThread(); time.Sleep(time.Minute) }(); runtime.Gosched() }"
    ),
    "recursion": program("fmt", _BEFORE + "fmt.Println(f(0))", "func f(n int) int { return f(n+1) + 1 }"),
    "deep": program("fmt", "fmt.Println(f(50000))", "func f(n int) int { if n == 0 { return 0 }; return f(n-1) + 1 }"),
    "limits": program("os", 'b, _ := os.ReadFile("/proc/self/limits"); os.Stdout.Write(b)'),
}
