// What every start in the benchmarks runs.
int main(void) { return 0; }
