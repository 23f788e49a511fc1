#include <iostream>
struct A { A() { std::cout << 'a'; } ~A() { std::cout << 'z'; } } a;
int main() { std::cout << 'm'; std::atexit([] { std::cout << 'e'; }); }
