"""File and class of a Java source: comments, strings and headers name no class.

The source is the guest's choice, and is read in the worker: see `test_runner_diagnostics` for the test without a clock.
"""

import pytest

from sandbox_runtime.languages.java import java_names

MAIN = "public static void main(String[] args) { }"


def names(code: str) -> tuple[str, str]:
    found = java_names(code.encode())
    return found.file, found.entry_class


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", ("Main.java", "Main")),
        (f"class Main {{ {MAIN} }}", ("Main.java", "Main")),
        (f"public class Foo {{ {MAIN} }}", ("Foo.java", "Foo")),
        (f"public final class Foo {{ {MAIN} }}", ("Foo.java", "Foo")),
        (f"final strictfp public abstract class Foo {{ {MAIN} }}", ("Foo.java", "Foo")),
        (f'@Deprecated(since = "public class No {{") public class Foo {{ {MAIN} }}', ("Foo.java", "Foo")),
        (f"public class Foo<T extends Comparable<T>> extends Bar implements Baz {{ {MAIN} }}", ("Foo.java", "Foo")),
        ("public interface Foo { static void main(String[] a) { } }", ("Foo.java", "Foo")),
        ("public @interface Foo { }", ("Foo.java", "Foo")),
        (f"public record Foo(int x, String... y) {{ {MAIN} }}", ("Foo.java", "Foo")),
        (f"public enum Foo {{ A(1) {{ }}, B; {MAIN} }}", ("Foo.java", "Foo")),
        (f"public sealed interface Foo permits A, B {{ }} class Main {{ {MAIN} }}", ("Foo.java", "Main")),
        (f"public class $Foo_1 {{ {MAIN} }}", ("$Foo_1.java", "$Foo_1")),
        (f"public class Größe {{ {MAIN} }}", ("Größe.java", "Größe")),
        (f"public\n/* note */ class // note\n Foo\n{{ {MAIN} }}", ("Foo.java", "Foo")),
    ],
)
def test_the_public_type_names_the_file(code: str, expected: tuple[str, str]) -> None:
    assert names(code) == expected


@pytest.mark.parametrize(
    "noise",
    [
        "// public class No { }",
        "/* public class No { */",
        '/** Use {@code public class No} */ class A { String s = "public class No { \\" {"; }',
        "class A { char open = '{', quote = '\"', escaped = '\\''; }",
        'class A { String s = """\n  public class No { \\""" "\n  """; }',
        "class A { public class No { public static void main(String[] a) { } } }",
        "class A { void f() { class No { } int record = 1; String enumeration; } }",
        "import java.util.record.*; import static java.lang.Math.max;",
        "interface A { int f(Class<?> no); default void g() { Object o = int.class; } }",
    ],
)
def test_only_a_declaration_at_the_top_counts(noise: str) -> None:
    assert names(f"{noise}\npublic class Foo {{ {MAIN} }}") == ("Foo.java", "Foo")


@pytest.mark.parametrize(
    ("code", "entry"),
    [
        (f"class A {{ }} class B {{ {MAIN} }}", "B"),
        (f"class A {{ {MAIN} }} class Main {{ {MAIN} }}", "Main"),
        (f"class A {{ {MAIN} }} public class B {{ {MAIN} }}", "B"),
        (f"public class A {{ }} class B {{ {MAIN} }}", "B"),
        ("class A { void main(String[] a) { } } class B { static final void main(String... a) { } }", "B"),
        ("class A { static int x = f(main(1)); void g() { main(); } } class B { }", "Main"),
        ("class A { void main(String[] a) { } }", "Main"),
        ("public class A { }", "A"),
        (f"package org.example.app; import java.util.*; public class A {{ {MAIN} }}", "org.example.app.A"),
        (f"package a;\nclass B {{ {MAIN} }}", "a.B"),
    ],
)
def test_the_class_to_start_has_a_main(code: str, entry: str) -> None:
    assert names(code)[1] == entry


@pytest.mark.parametrize(
    "code",
    [
        "}}}}}}",
        "public class",
        "{" * 1000,
        '"""',
        "/*",
        "'",
        "public class A" + "}" * 3,
        "((((",
        "class class class",
        "\\u0022",
    ],
)
def test_a_source_that_javac_will_refuse_gets_a_name_too(code: str) -> None:
    file, entry = names(code)
    assert file.endswith(".java")
    assert entry


def test_bytes_that_are_no_text_and_names_too_long_for_a_file_fall_back_to_main() -> None:
    assert java_names(b"\xff\xfe public class A { }").file == "A.java"
    assert java_names(b"public class \xff { }").file.isascii()
    assert names("public class " + "A" * 300 + " { }")[0] == "Main.java"
    assert names("public class " + "Ж" * 101 + " { }")[0] == "Main.java"
    assert names("public class " + "Ж" * 100 + " { }")[0] == "Ж" * 100 + ".java"


SIZE = 1 << 19


@pytest.mark.timeout(15)
@pytest.mark.parametrize(
    "unit",
    [
        *("enum ", "class A ", "a ", "public ", "void main ( ) ", "static void main(", "class A{void main("),
        *("class A{}", "@", "{", "}", "(", "/*", "/* *", "//", '"', "'", "\\", '"\\', '"""', '\\"""\n', '"""\\'),
        *("package a.", "$", "\u0416"),
    ],
)
@pytest.mark.parametrize("tail", ["", "\\"])
def test_the_work_is_linear_in_the_size_of_any_source(unit: str, tail: str) -> None:
    file, entry = names(unit * (SIZE // len(unit)) + tail)
    assert file.endswith(".java")
    assert entry
    body = "class A { " + unit * (SIZE // len(unit)) + tail
    assert names(body)[0] == "Main.java"
