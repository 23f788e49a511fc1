#include <bits/stdc++.h>
using namespace std;
int main(int n, char **a) {
auto f = async(launch::async, [=] { return n + 1; }); promise<string> p;
thread t([&] { p.set_value("q"); }); cout << p.get_future().get() << f.get(); t.join();
mutex m; lock_guard<mutex> g(m); once_flag o; call_once(o, [] { cout << 1; }); }
