/* What the C tests share: a few checks, a scratch state root, an image. */
#ifndef CONTAINERKIT_TESTS_CAPI_SUPPORT_H_
#define CONTAINERKIT_TESTS_CAPI_SUPPORT_H_

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "containerkit/containerkit_c.h"

/* Ends the case when it does not hold. */
#define CHECK(condition)                                        \
  do {                                                          \
    if (!(condition)) FailCase(__FILE__, __LINE__, #condition); \
  } while (0)
#define CHECK_STR(got, wanted)                               \
  do {                                                       \
    const char* got_ = (got);                                \
    if (got_ == NULL || strcmp(got_, (wanted)) != 0) {       \
      FailCaseStr(__FILE__, __LINE__, #got, got_, (wanted)); \
    }                                                        \
  } while (0)
/* `call` uses `&err` of the enclosing function. */
#define CHECK_OK(call)                                                  \
  do {                                                                  \
    if ((call) != CK_OK) FailCaseError(__FILE__, __LINE__, #call, err); \
  } while (0)
#define CHECK_ERROR(call, code, reason)                                     \
  do {                                                                      \
    const ck_status status_ = (call);                                       \
    CheckError(__FILE__, __LINE__, #call, status_, &err, (code), (reason)); \
  } while (0)

void FailCase(const char* file, int line, const char* what);
void FailCaseStr(const char* file, int line, const char* what, const char* got,
                 const char* wanted);
void FailCaseError(const char* file, int line, const char* what, ck_error* err);
/* Releases the error. */
void CheckError(const char* file, int line, const char* what, ck_status status,
                ck_error** err, ck_status code, int32_t reason);
/* Ends the case without a verdict; fails it where CK_MUST_HAVE names the
 * capability. */
void SkipCase(const char* capability);
/* Skips unless the machine can run containers as root. */
void RequireContainers(void);

/* Runs a part of a case in a process of its own, which it may spoil; at most
 * `seconds`. The scratch directory is the parent's. */
void InChild(void (*run)(void), int seconds);

typedef struct TestCase {
  const char* name;
  void (*run)(void);
} TestCase;
/* Runs them one after the other and reports as gtest does; main()'s answer. */
int RunCases(const char* suite, const TestCase* cases, size_t count);
#define RUN_CASES(suite, cases) \
  RunCases(suite, cases, sizeof(cases) / sizeof((cases)[0]))

/* A fresh directory for a state root; removed after the case. */
const char* ScratchDir(void);
ck_engine* OpenEngine(const char* root);
/* A tar of busybox with some applets, as a descriptor at its start. */
int BusyboxTar(void);
/* Imports it as "busybox:latest". */
void ImportBusybox(ck_engine* engine);
/* A container of busybox; the arguments end with NULL. */
ck_container* MakeContainer(ck_engine* engine, const char* first, ...);
ck_container_config* MakeConfig(const char* first, ...);
/* Both in a scratch directory. */
ck_engine* EngineWithBusybox(void);

/* Collects output; `text` is NUL-terminated. */
typedef struct Collected {
  char text[65536];
  size_t size;
  int chunks;
  int released;
  int32_t answer; /* of the callback */
} Collected;
int32_t Collect(void* user_data, int32_t stream, const void* data, size_t size,
                int64_t time_ns);
void CountRelease(void* user_data);

/* Runs a command in a container, or the container itself, to its end. */
int32_t ReadAll(ck_session* session, Collected* out);
int32_t Exec(ck_container* container, Collected* out, const char* first, ...);

/* Number of open descriptors, of threads, of lines of mountinfo, of children
 * of this process, dead ones included. */
typedef struct HostState {
  int descriptors;
  int threads;
  int mounts;
  int children;
} HostState;
HostState ReadHostState(void);
/* Waits up to 3 s until nothing is left that was not there before. */
void CheckHostState(const HostState* before);

#endif /* CONTAINERKIT_TESTS_CAPI_SUPPORT_H_ */
