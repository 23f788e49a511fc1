"""Small Bash programs, one for each case."""

_BEFORE = "echo before\n"

PROGRAMS = {
    "hello": "echo $((6 * 7))",
    "echo": "cat",
    "exit_7": "exit 7",
    "unicode": 'declare -A texts=([größe]="Привет, 世界 🎉")\necho "${texts[größe]}"',
    "flood": _BEFORE + "yes y | tr -d '\\n'",
    "buffers": _BEFORE + "printf -v text '%01048576d' 0\nfor ((i = 0; ; i++)); do texts[i]=$text; done",
    "objects": _BEFORE + "while :; do numbers+=({1..1000}); done",
    "endless": _BEFORE + "while :; do :; done",
    "sleep": _BEFORE + "sleep 60",
    "garbage": "for ((i = 0; i < 300; i++)); do x=({1..1000}); done\necho ok",
    "throw": 'set -u\necho before\n\necho "$missing"\n',
    "warning": "[ $(echo ok) == ok ] && echo ok",
    # Bash runs a script command by command, so a broken one may print before its error. The braces make one command.
    "broken": "{\necho never\nif then\n}\n",
    "threads": (
        "sum=0\nwhile read -r n; do ((sum += n)); done < <(for i in {0..7}; do echo $i & done; wait)\necho $sum"
    ),
    "thread_bomb": "while :; do sleep 60 & done",
    "recursion": "f() { f; }\n" + _BEFORE + "f",
    "deep": "n=0\nf() { if (($1)); then f $(($1 - 1)); ((n += 1)); fi; }\nf 3000\necho $n",
    "limits": "cat /proc/self/limits",
}
