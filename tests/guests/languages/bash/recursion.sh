f() { f; }
echo before
f