#include <bits/stdc++.h>
using namespace std;
struct B : enable_shared_from_this<B> { virtual ~B() {} virtual string f() { return "b"; } };
struct D : B { string f() override { return "d" + to_string(3); } };
int main() {
shared_ptr<B> p = make_shared<D>(); unique_ptr<B> u(new D); any x = string("a");
variant<int, string> v = "q"; optional<string> o("z"); function<string()> f = [p] { return p->f(); };
cout << f() << any_cast<string>(x) << get<1>(v) << *o << u->f(); }
