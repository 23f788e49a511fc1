"""C++ programs that would tell a precompiled header or another way of calling gcc from the ordinary command.

Valid or not: what counts is that both ways say and do the same.
"""

_MAIN = 'int main() { std::cout << "ok\\n"; }\n'
_SORT = "int main() { std::vector<int> v{3, 1, 2}; std::sort(v.begin(), v.end()); std::cout << v[0] << v.size(); }\n"
_WORDS = (
    "#include <map>\nint main() { std::map<std::string, double> m; std::string s, t;\n"
    "for (int i = 0; i < 9; i++) { s += std::to_string(i); m[s] += s.size() * 1.5; t = s; }\n"
    'for (auto &x : m) std::cout << x.first << " " << x.second << (t == s) << std::endl; }\n'
)
_LEVELS = 'std::cout << __FILE__ << __LINE__ << " " << __INCLUDE_LEVEL__ << " " << __COUNTER__ << __COUNTER__;'

# Those that get precompiled headers.
HEADER_PROGRAMS = {
    "plain": f"#include <iostream>\n{_MAIN}",
    "everything": f"#include <bits/stdc++.h>\nusing namespace std;\n{_SORT}",
    "usual headers": f"#include <algorithm>\n#include <string>\n#include <iostream>\n#include <vector>\n{_SORT}",
    "other headers too": f"#include <map>\n#include <cassert>\n#include <iostream>\n{_MAIN}",
    "files": "#include <bits/stdc++.h>\nnamespace fs = std::filesystem;\nint main(int n, char **a) {\n"
    'for (auto &p : fs::directory_iterator("/usr/lib")) n += p.path().native().size() > 400;\n'
    "fs::path q(a[0]); std::cout << n << q.filename() << q.extension(); }\n",
    "promises": "#include <bits/stdc++.h>\nusing namespace std;\nint main(int n, char **a) {\n"
    "auto f = async(launch::async, [=] { return n + 1; }); promise<string> p;\n"
    'thread t([&] { p.set_value("q"); }); cout << p.get_future().get() << f.get(); t.join();\n'
    "mutex m; lock_guard<mutex> g(m); once_flag o; call_once(o, [] { cout << 1; }); }\n",
    "shared objects": "#include <bits/stdc++.h>\nusing namespace std;\n"
    'struct B : enable_shared_from_this<B> { virtual ~B() {} virtual string f() { return "b"; } };\n'
    'struct D : B { string f() override { return "d" + to_string(3); } };\nint main() {\n'
    'shared_ptr<B> p = make_shared<D>(); unique_ptr<B> u(new D); any x = string("a");\n'
    'variant<int, string> v = "q"; optional<string> o("z"); function<string()> f = [p] { return p->f(); };\n'
    "cout << f() << any_cast<string>(x) << get<1>(v) << *o << u->f(); }\n",
    "comments first, carriage returns, a header twice": "// a\n/* b */\r\n\n  #  include <iostream> // c\n"
    f"#include <iostream>\r\n#include <vector>\r\n{_MAIN}",
    "header not included": f"#include <iostream>\n{_SORT}",
    "private is public between": "#include <iostream>\n#define private public\n#include <queue>\n"
    "class A { int x = 5; };\nint main() { std::cout << A().x; }\n",
    "asserts on": "#include <cassert>\n#include <iostream>\nint main() { std::cout << 1 << std::endl; assert(0); }\n",
    "asserts off later": "#include <bits/stdc++.h>\n#define NDEBUG\n#include <cassert>\nint main() { assert(0); }\n",
    "unchecked library": "#include <iostream>\n#include <vector>\n#define _GLIBCXX_DEBUG\n"
    "int main() { std::vector<int> v(2); v.resize(1); volatile int i = 1; std::cout << v[i]; }\n",
    "macro behind the headers": f"#include <iostream>\n#define cout cerr\n{_MAIN}",
    "member of the library anew": "#include <iostream>\n#include <string>\n"
    f"template <> void std::string::_M_assign(const std::string &) {{ }}\n{_WORDS}",
    "template of the library anew": "#include <iostream>\n#include <string>\n"
    "namespace std { template <> struct char_traits<wchar_t> { }; }\n" + _WORDS,
    "name that the library looks up": "#include <iostream>\n#include <string>\nnamespace std {\n"
    "bool operator==(const string &, const string &) { return true; }\n"
    "template <class T> T *__addressof(T *p) { return p + 1; }\n}\n" + _WORDS,
    "poisoned name": f"#include <iostream>\n#pragma GCC poison vector\n{_SORT}",
    "line directive": '#include <iostream>\n#line 77 "other.cpp"\n'
    "int main() { std::cout << __FILE__ << __LINE__; int x = }\n",
    "levels and counters": f"#include <iostream>\nint main() {{ {_LEVELS} }}\n",
    "guards of headers, has include": "#include <iostream>\n#ifdef _GLIBCXX_VECTOR\n#error vector\n"
    "#endif\n#ifdef _GLIBCXX_ALGORITHM\n#error algorithm\n#endif\n#ifndef _GLIBCXX_IOSTREAM\n#error iostream\n#endif\n"
    '#if __has_include(<streams.h>) || __has_include("streams.h")\n#error there\n#endif\n'
    f"{_MAIN}",
    "own headers": '#include <iostream>\n#include "mine.h"\nint main() { }\n',
    "includes itself": "#include <iostream>\n#if __INCLUDE_LEVEL__ < 2\n"
    "#include __FILE__\nint x;\n#else\nint y;\n#endif\n"
    "int main() { }\n",
    "a static assertion, a private member, unknown names, an error within a header": "#include <iostream>\n"
    "#include <map>\n#include <sstream>\n#include <vector>\n#include <algorithm>\n"
    "static_assert(sizeof(int) == 3);\nstruct A { };\n"
    "int main() { std::stringbuf b; b._M_mode; std::map<int, int> m; m.push_back(1); coutt << 1;\n"
    "std::vector<A> v(2); std::sort(v.begin(), v.end()); }\n",
    "error as a pragma asks": '#include <iostream>\n#pragma GCC diagnostic error "-Wreturn-type"\nint f() { }\n'
    "int main() { f(); }\n",
    "warning": "#include <iostream>\nint f(bool b) { if (b) return 1; }\nint main() { std::cout << f(true); }\n",
    "missing function, no main": "#include <iostream>\nint missing();\nint found = missing();\n",
    "twice defined for the assembler, unknown to it": '#include <iostream>\nasm("same: .long 1\\nsame: .long 2");\n'
    'int main() { asm volatile("no_such_instruction"); }\n',
    "order of start and end": "#include <iostream>\n"
    "struct A { A() { std::cout << 'a'; } ~A() { std::cout << 'z'; } } a;\n"
    "int main() { std::cout << 'm'; std::atexit([] { std::cout << 'e'; }); }\n",
    "exceptions": '#include <iostream>\n#include <stdexcept>\nint main() { try { throw std::out_of_range("x"); }\n'
    "catch (const std::exception &e) { std::cout << e.what(); } throw 5; }\n",
    "threads": "#include <bits/stdc++.h>\nint main() { std::atomic<int> n{0}; std::vector<std::thread> t;\n"
    "for (int i = 0; i < 4; i++) t.emplace_back([&] { n++; }); for (auto &x : t) x.join(); std::cout << n; }\n",
    "names and types": "#include <iostream>\n#include <vector>\n#include <algorithm>\n#include <typeinfo>\n"
    "template <class T> struct X { };\nint main() { std::cout << typeid(X<std::vector<long>>).name()\n"
    "<< __PRETTY_FUNCTION__ << __cplusplus << __OPTIMIZE__ << ONLINE_JUDGE; }\n",
}
# Those that get none: they could change the program.
REFUSED_PROGRAMS = {
    "unavailable behind": "#include <iostream>\n[[gnu::unavailable]] void *operator new(std::size_t);\nint main() {}\n",
    "deprecated behind": "#include <iostream>\n#include <string>\n[[deprecated]] void *operator new(std::size_t);\n"
    "int main(int n, char **a) { std::cout << std::string(n, 'x'); }\n",
    "byte order mark": f"\ufeff#include <iostream>\n{_MAIN}",
    "no end of line": "#include <iostream>",
    "no header at all": _MAIN,
    "include in a comment": f"/*\n#include <iostream>\n*/\n{_MAIN}",
    "include in a line comment": f"// \\\n#include <iostream>\n{_MAIN}",
    "trigraph in a comment": f"// ??/\n#include <iostream>\n{_MAIN}",
    "comment that begins another": f"/* a */ /* b\n#include <iostream>\n*/\n{_MAIN}",
    "include in a raw string": f'auto s = R"(\n#include <iostream>\n)";\n{_MAIN}',
    "include in a raw string, used": 'const char *s = R"(\n#include <iostream>\n)";\n#include <cstdio>\n'
    "int main() { puts(s); }\n",
    "include behind code": f"int before;\n#include <iostream>\n{_MAIN}",
    "include that is switched off": f"#if 0\n#include <iostream>\n#endif\n{_MAIN}",
    "private is public": "#define private public\n#include <iostream>\n#include <sstream>\n"
    "int main() { std::stringbuf b; std::cout << b._M_mode; }\n",
    "asserts off": "#define NDEBUG\n#include <cassert>\n#include <iostream>\n"
    "int main() { assert(0); std::cout << 1; }\n",
    "checked library": "#define _GLIBCXX_DEBUG\n#include <iostream>\n#include <vector>\n"
    "int main() { std::vector<int> v(1); volatile int i = 1; std::cout << v[i]; }\n",
    "macro of a name in a header": f"#define cout cerr\n#include <iostream>\n{_MAIN}",
    "pragma before": '#pragma GCC optimize("Ofast")\n'
    f"#include <algorithm>\n#include <iostream>\n#include <vector>\n{_SORT}",
    "pragma behind": f'#include <bits/stdc++.h>\n#pragma GCC optimize("O3")\n#pragma GCC target("sse4.2")\n{_SORT}',
    "optimisation behind": f'#include <iostream>\n#pragma GCC optimize("Ofast,unroll-loops")\n{_WORDS}',
    "no optimisation behind": f'#include <iostream>\n#pragma GCC optimize("O0")\n{_WORDS}',
    "machine behind": f'#include <iostream>\n#include <string>\n#pragma GCC target("avx2,bmi,popcnt")\n{_WORDS}',
    "pragma once": f"#pragma once\n#include <iostream>\n{_MAIN}",
    "line directive first": f'#line 77 "other.cpp"\n#include <iostream>\nint main() {{ {_LEVELS} }}\n',
    "counter before": f"int a = __COUNTER__;\n#include <iostream>\nint main() {{ {_LEVELS} }}\n",
    "words behind the header": f"#include <iostream> and more\n{_MAIN}",
    "macro include": f"#define H <iostream>\n#include H\n{_MAIN}",
    "import": f"#import <iostream>\n{_MAIN}",
}
