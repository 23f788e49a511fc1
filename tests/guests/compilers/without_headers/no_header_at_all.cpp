int main() { std::cout << "ok\n"; }
