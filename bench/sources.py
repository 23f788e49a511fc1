"""Programs that nobody has seen before: each holds a number of its own, and prints a sum that only it can know."""

import itertools
import secrets
from dataclasses import dataclass

from bench.answers import Expected

# Below 2^53, which is as far as every language here counts exactly.
_NUMBERS = itertools.count(secrets.randbelow(10**6) * 10**9)

# Each reads a number from standard input and adds NUMBER to it.
_ADDING = {
    "python": "print(NUMBER + int(input()))\n",
    "c": """#include <stdio.h>
int main(void) {
    long long value;
    if (scanf("%lld", &value) != 1) return 1;
    printf("%lld\\n", value + NUMBERLL);
}
""",
    "cpp": """#include <iostream>
int main() {
    long long value;
    std::cin >> value;
    std::cout << value + NUMBERLL << std::endl;
}
""",
    "java": """import java.util.Scanner;
public class Main {
    public static void main(String[] arguments) {
        System.out.println(new Scanner(System.in).nextLong() + NUMBERL);
    }
}
""",
    "javascript": 'console.log(Number(require("fs").readFileSync(0, "utf8")) + NUMBER);\n',
    "typescript": """import { readFileSync } from "fs";
const value: number = Number(readFileSync(0, "utf8"));
console.log(value + NUMBER);
""",
    "go": """package main
import "fmt"
func main() {
    var value int64
    fmt.Scan(&value)
    fmt.Println(value + NUMBER)
}
""",
    "rust": """use std::io;
fn main() {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    let value: i64 = line.trim().parse().unwrap();
    println!("{}", value + NUMBER);
}
""",
    "lua": "print(io.read('n') + NUMBER)\n",
    "bash": "read -r value\necho $((value + NUMBER))\n",
}
ADDING_LANGUAGES = tuple(_ADDING)


@dataclass(frozen=True, slots=True)
class Program:
    """A source, its input, and what must come of it. `limits`: as in a request of the API."""

    language: str
    code: str
    expected: Expected
    stdin: str = ""
    limits: tuple[tuple[str, float], ...] = ()


def new_number() -> int:
    """Never the same twice, not in another run either."""
    return next(_NUMBERS)


def python_print() -> tuple[str, str]:
    """(source, what it prints)."""
    number = new_number()
    return f"print({number} + 42)\n", f"{number + 42}\n"


def python_program() -> Program:
    """`print` of a new sum."""
    code, printed = python_print()
    return Program("python", code, Expected(printed))


def adding_program(language: str, number: int) -> Program:
    """Adds `number` to another input each time: a compiler's work can be used again, a result cannot."""
    value = secrets.randbelow(10**6)
    code = _ADDING[language].replace("NUMBER", str(number))
    return Program(language, code, Expected(f"{number + value}\n"), f"{value}\n")
