#include <bits/stdc++.h>
using namespace std;
int main(int argc, char *argv[]) {
    ifstream in(argv[1]), out(argv[2]), hint(argv[3]);
    long long found, wanted;
    hint >> wanted;
    if (!(out >> found)) { cout << "WRONG\nno number\n0\n"; exit(0); }
    if (found == 13) abort();
    if (found == 14) { cout << "MAYBE\n"; return 0; }
    if (found == 15) { cout << "OK" << endl; return 0; }
    if (found == 16) { cout << "OK\nthird\n100/3\n"; return 0; }
    if (found == wanted) cout << "OK\n\n100\n";
    else if (abs(found - wanted) == 1) cout << "OK\nnear\n50\n";
    else cout << "WRONG\nexpected another number\n0\n" << string(1 << 17, 'x');
}
