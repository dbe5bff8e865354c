/* capi/abi/layout_*.c do not compile when a released field has moved. */
int main(void) { return 0; }
