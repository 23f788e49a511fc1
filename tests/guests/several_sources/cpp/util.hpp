int twice(int); int half(int);
