main() { puts("x"); }
