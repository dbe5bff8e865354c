// What a fuzz target asserts: ends the process, so that the fuzzer keeps the
// input.
#ifndef CONTAINERKIT_TESTS_FUZZ_CHECK_H_
#define CONTAINERKIT_TESTS_FUZZ_CHECK_H_

#include <stdio.h>
#include <stdlib.h>

#define CK_FUZZ_CHECK(condition)                                       \
  do {                                                                 \
    if (!(condition)) {                                                \
      fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, \
              #condition);                                             \
      abort();                                                         \
    }                                                                  \
  } while (false)

#endif  // CONTAINERKIT_TESTS_FUZZ_CHECK_H_
