// The entry point, and the four functions that compilers call by themselves.
// Linked into the helper only: tests use the C library's.
#include <stddef.h>

#include "lib/runtime/child/spawner.h"

#if defined(__x86_64__)
__asm__(
    ".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  and $-16, %rsp\n"
    "  call ck_helper_main\n"
    "  hlt\n");
#elif defined(__aarch64__)
__asm__(
    ".globl _start\n"
    "_start:\n"
    "  mov x29, #0\n"
    "  mov x30, #0\n"
    "  bl ck_helper_main\n"
    "  brk #1\n");
#endif

extern "C" {

[[noreturn]] __attribute__((used)) void ck_helper_main() {
  containerkit::runtime::child::RunSpawner();
}

void* memcpy(void* to, const void* from, size_t size) {
  char* out = static_cast<char*>(to);
  const char* in = static_cast<const char*>(from);
#if defined(__x86_64__)
  __asm__ volatile("rep movsb" : "+D"(out), "+S"(in), "+c"(size) : : "memory");
#else
  while (size-- > 0) {
    *out++ = *in++;
    __asm__ volatile("" : : : "memory");
  }
#endif
  return to;
}

void* memmove(void* to, const void* from, size_t size) {
  char* out = static_cast<char*>(to);
  const char* in = static_cast<const char*>(from);
  if (out <= in || out >= in + size) return memcpy(to, from, size);
  while (size-- > 0) {
    out[size] = in[size];
    __asm__ volatile("" : : : "memory");
  }
  return to;
}

void* memset(void* to, int value, size_t size) {
  char* out = static_cast<char*>(to);
#if defined(__x86_64__)
  __asm__ volatile("rep stosb" : "+D"(out), "+c"(size) : "a"(value) : "memory");
#else
  while (size-- > 0) {
    *out++ = char(value);
    __asm__ volatile("" : : : "memory");
  }
#endif
  return to;
}

int memcmp(const void* a, const void* b, size_t size) {
  const auto* left = static_cast<const unsigned char*>(a);
  const auto* right = static_cast<const unsigned char*>(b);
  for (size_t i = 0; i < size; ++i) {
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char* text) {
  size_t size = 0;
  while (text[size] != '\0') {
    ++size;
    __asm__ volatile("" : : : "memory");
  }
  return size;
}

}  // extern "C"
