// expect: AC
// attack: T13 closed_streams: closes its streams and uses them
// alone: it attacks the supervisor, which has no part that could be left out
#include <cstdio>
#include <iostream>
int main() {
    std::fclose(stdin);
    std::fclose(stdout);
    std::fclose(stderr);
    std::string line;
    std::cout << "text for nobody" << std::endl;
    std::cerr << "text for nobody" << std::endl;
    return std::cin >> line ? 1 : 0;
}
