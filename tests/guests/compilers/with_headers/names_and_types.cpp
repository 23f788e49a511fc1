#include <iostream>
#include <vector>
#include <algorithm>
#include <typeinfo>
template <class T> struct X { };
int main() { std::cout << typeid(X<std::vector<long>>).name()
<< __PRETTY_FUNCTION__ << __cplusplus << __OPTIMIZE__ << ONLINE_JUDGE; }
