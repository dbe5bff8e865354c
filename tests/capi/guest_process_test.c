/* The library in hosts that thread, load and unload, forbid and die (E02, E08,
 * E09, E11, E12), and with a second copy of itself beside. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/capi/support.h"

static void Prepare(void) {
  ck_engine* engine = EngineWithBusybox();
  ck_engine_release(engine);
}

static void RunTrue(ck_engine* engine) {
  ck_error* err = NULL;
  int32_t code = -1;
  ck_container* container = MakeContainer(engine, "true", NULL);
  CHECK_OK(ck_container_start(container, NULL, NULL, &err));
  CHECK_OK(ck_container_wait(container, NULL, &code, NULL, &err));
  CHECK(code == 0);
  CHECK_OK(ck_container_remove(container, NULL, &err));
  ck_container_release(container);
}

/* --- E02: threads that hold the C library's locks --- */

static volatile int g_stop;

static void* Busy(void* unused) {
  (void)unused;
  while (!g_stop) {
    void* memory[32];
    char buffer[1024];
    struct passwd entry;
    struct passwd* found;
    for (int i = 0; i < 32; ++i) memory[i] = malloc((size_t)i * 100 + 1);
    for (int i = 0; i < 32; ++i) free(memory[i]);
    locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (locale != (locale_t)0) freelocale(locale);
    getpwuid_r(0, &entry, buffer, sizeof buffer, &found);
    setlocale(LC_ALL, "C");
    usleep(1000);
  }
  return NULL;
}

static void RunAmongThreads(void) {
  pthread_t threads[64];
  ck_engine* engine = OpenEngine(ScratchDir());
  for (int i = 0; i < 64; ++i) {
    CHECK(pthread_create(&threads[i], NULL, Busy, NULL) == 0);
  }
  for (int i = 0; i < 25; ++i) RunTrue(engine);
  g_stop = 1;
  for (int i = 0; i < 64; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  ck_engine_release(engine);
}

static ck_engine* g_engine;

static void* RunTen(void* failed) {
  ck_error* err = NULL;
  for (int i = 0; i < 10; ++i) {
    ck_container* container = NULL;
    ck_container_config* config = NULL;
    int32_t code = -1;
    const char* const command[] = {"sh", "-c", "exit 9"};
    ck_container_config_create_options options =
        CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT;
    options.image = "busybox";
    /* CHECK would leave by longjmp, on the wrong stack. */
    if (ck_container_config_create(&options, &config, &err) != CK_OK ||
        ck_container_config_set_command(config, command, 3, &err) != CK_OK ||
        ck_container_create(g_engine, config, NULL, &container, &err) !=
            CK_OK ||
        ck_container_start(container, NULL, NULL, &err) != CK_OK ||
        ck_container_wait(container, NULL, &code, NULL, &err) != CK_OK ||
        code != 9 || ck_container_remove(container, NULL, &err) != CK_OK) {
      *(ck_error**)failed = err;
      ck_container_release(container);
      ck_container_config_release(config);
      return failed;
    }
    ck_container_release(container);
    ck_container_config_release(config);
  }
  return NULL;
}

static void RunInEightThreads(void) {
  pthread_t threads[8];
  ck_error* errors[8] = {NULL};
  const HostState before = ReadHostState();
  g_engine = OpenEngine(ScratchDir());
  for (int i = 0; i < 8; ++i) {
    CHECK(pthread_create(&threads[i], NULL, RunTen, &errors[i]) == 0);
  }
  for (int i = 0; i < 8; ++i) {
    void* failed = NULL;
    CHECK(pthread_join(threads[i], &failed) == 0);
    if (failed != NULL) FailCaseError(__FILE__, __LINE__, "run", errors[i]);
  }
  ck_engine_release(g_engine);
  CheckHostState(&before);
}

static void ThreadsDoNotHurt(void) {
  RequireContainers();
  Prepare();
  InChild(RunAmongThreads, 120);
  InChild(RunInEightThreads, 120);
}

/* --- E08: loading, unloading, twice --- */

typedef const char* (*VersionFn)(void);
typedef ck_status (*CancelCreateFn)(ck_cancel**, ck_error**);
typedef void (*CancelReleaseFn)(const ck_cancel*);
typedef ck_cancel* (*CancelRetainFn)(const ck_cancel*);

static const char* LibraryPath(void) {
  static Dl_info info;
  CHECK(dladdr((void*)(uintptr_t)ck_version, &info) != 0);
  return info.dli_fname;
}

static void* Symbol(void* library, const char* name) {
  void* symbol = dlsym(library, name);
  CHECK(symbol != NULL);
  return symbol;
}

/* A copy under another name is another library to the loader. */
static const char* CopyOfLibrary(void) {
  static char path[256];
  char block[65536];
  ssize_t n;
  snprintf(path, sizeof path, "%s/copy.so", ScratchDir());
  const int from = open(LibraryPath(), O_RDONLY | O_CLOEXEC);
  const int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  CHECK(from >= 0 && to >= 0);
  while ((n = read(from, block, sizeof block)) > 0) {
    CHECK(write(to, block, (size_t)n) == n);
  }
  close(from);
  close(to);
  return path;
}

static long ResidentKib(void) {
  long size = 0;
  long resident = 0;
  FILE* in = fopen("/proc/self/statm", "re");
  CHECK(in != NULL && fscanf(in, "%ld %ld", &size, &resident) == 2);
  fclose(in);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void LoadAndUnload(void) {
  const char* path = CopyOfLibrary();
  HostState before;
  long resident = 0;
  memset(&before, 0, sizeof before);
  for (int i = 0; i < 1000; ++i) {
    ck_cancel* cancel = NULL;
    void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) FailCase(__FILE__, __LINE__, dlerror());
    CHECK((VersionFn)(uintptr_t)Symbol(library, "ck_version") != ck_version);
    if (i % 10 == 0) {
      CHECK(((CancelCreateFn)(uintptr_t)Symbol(library, "ck_cancel_create"))(
                &cancel, NULL) == CK_OK);
      ((CancelReleaseFn)(uintptr_t)Symbol(library, "ck_cancel_release"))(
          cancel);
    }
    CHECK(dlclose(library) == 0);
    if (i == 100) {
      before = ReadHostState();
      resident = ResidentKib();
    }
  }
  CheckHostState(&before);
  CHECK(ResidentKib() - resident < 4096);
}

static void TwoCopies(void) {
  ck_error* err = NULL;
  ck_cancel* mine = NULL;
  ck_cancel* others = NULL;
  ck_engine_info* info = NULL;
  void* library = dlopen(CopyOfLibrary(), RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) FailCase(__FILE__, __LINE__, dlerror());
  /* A handle of the one is none to the other. */
  CHECK_OK(ck_cancel_create(&mine, &err));
  CHECK(((CancelCreateFn)(uintptr_t)Symbol(library, "ck_cancel_create"))(
            &others, NULL) == CK_OK);
  CHECK(ck_cancel_retain(others) == NULL);
  CHECK(((CancelRetainFn)(uintptr_t)Symbol(library, "ck_cancel_retain"))(
            mine) == NULL);
  /* Both may work on one state root: closing the one's database must not drop
   * the other's locks. */
  ck_status (*open_other)(const ck_engine_open_options*, ck_engine**,
                          ck_error**) =
      (ck_status(*)(const ck_engine_open_options*, ck_engine**, ck_error**))(
          uintptr_t)Symbol(library, "ck_engine_open");
  void (*release_other)(const ck_engine*) = (void (*)(const ck_engine*))(
      uintptr_t)Symbol(library, "ck_engine_release");
  ck_engine* engine = OpenEngine(ScratchDir());
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  options.root = ScratchDir();
  for (int i = 0; i < 5; ++i) {
    ck_engine* other = NULL;
    CHECK(open_other(&options, &other, NULL) == CK_OK);
    CHECK(ck_engine_inspect(other, NULL, &info, NULL) == CK_INVALID_ARGUMENT);
    RunTrue(engine);
    release_other(other);
    RunTrue(engine);
  }
  ck_engine_release(engine);
  ((CancelReleaseFn)(uintptr_t)Symbol(library, "ck_cancel_release"))(others);
  ck_cancel_release(mine);
  CHECK(dlclose(library) == 0);
}

static void CopiesComeAndGo(void) {
  RequireContainers();
  Prepare();
  InChild(LoadAndUnload, 120);
  InChild(TwoCopies, 60);
}

/* --- E09: cancelling at any time --- */

static void* TriggerLater(void* cancel) {
  usleep((useconds_t)(rand() % 20000));
  ck_cancel_trigger(cancel);
  return NULL;
}

static int64_t NowMs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void CancelAtAnyTime(void) {
  ck_error* err = NULL;
  srand(1);
  ck_engine* engine = OpenEngine(ScratchDir());
  RunTrue(engine);
  const HostState before = ReadHostState();
  for (int i = 0; i < 40; ++i) {
    pthread_t thread;
    ck_session* session = NULL;
    ck_cancel* cancel = NULL;
    ck_container_start_options start = CK_CONTAINER_START_OPTIONS_INIT;
    ck_session_read_options read_options = CK_SESSION_READ_OPTIONS_INIT;
    ck_container_remove_options force = CK_CONTAINER_REMOVE_OPTIONS_INIT;
    CHECK_OK(ck_cancel_create(&cancel, &err));
    ck_container* container = MakeContainer(engine, "sleep", "100", NULL);
    start.attach = 1;
    start.cancel = cancel;
    read_options.cancel = cancel;
    force.force = 1;
    CHECK(pthread_create(&thread, NULL, TriggerLater, cancel) == 0);
    const int64_t begin = NowMs();
    ck_status status = ck_container_start(container, &start, &session, &err);
    if (status == CK_OK) {
      status = ck_session_read(session, &read_options, NULL, NULL, NULL, NULL,
                               NULL, &err);
    }
    const int64_t took = NowMs() - begin;
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(took < 1100);
    CHECK_ERROR(status, CK_CANCELLED, CK_REASON_CANCELLED);
    ck_session_release(session);
    CHECK_OK(ck_container_remove(container, &force, &err));
    ck_container_release(container);
    ck_cancel_release(cancel);
  }
  CheckHostState(&before);
  ck_engine_release(engine);
}

static void CancelIsQuickAndClean(void) {
  RequireContainers();
  Prepare();
  InChild(CancelAtAnyTime, 120);
}

/* --- E11: hosts that may do little --- */

static void Deny(const int* calls, size_t count) {
  struct sock_filter filter[64];
  size_t n = 0;
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < count; ++i) {
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                               (unsigned)calls[i], 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                               SECCOMP_RET_ERRNO | EPERM);
  }
  filter[n++] =
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {.len = (unsigned short)n,
                                     .filter = filter};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Whatever is missing, the answer says what was tried. */
static void ExpectStartToFail(void) {
  ck_error* err = NULL;
  ck_container* container = NULL;
  ck_engine* engine = NULL;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  const HostState before = ReadHostState();
  options.root = ScratchDir();
  ck_container_config* config = MakeConfig("true", NULL);
  ck_status status = ck_engine_open(&options, &engine, &err);
  if (status == CK_OK) {
    status = ck_container_create(engine, config, NULL, &container, &err);
  }
  if (status == CK_OK) {
    status = ck_container_start(container, NULL, NULL, &err);
  }
  CHECK(status != CK_OK);
  CHECK(ck_error_reason(err) != CK_REASON_UNSPECIFIED);
  CHECK(ck_error_reason(err) != CK_REASON_INTERNAL);
  CHECK(ck_error_operation(err)[0] != 0);
  CHECK(strlen(ck_error_message(err)) > 10);
  ck_error_release(err);
  err = NULL;
  if (container != NULL) {
    CHECK_OK(ck_container_remove(container, NULL, &err));
  }
  ck_container_release(container);
  ck_engine_release(engine);
  ck_container_config_release(config);
  CheckHostState(&before);
}

static void WithoutClone(void) {
  static const int kCalls[] = {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork};
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectStartToFail();
}

static void WithoutMounts(void) {
  static const int kCalls[] = {SYS_mount,      SYS_fsopen,    SYS_fsmount,
                               SYS_move_mount, SYS_open_tree, SYS_unshare};
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectStartToFail();
}

static void WithoutMemfd(void) {
  static const int kCalls[] = {SYS_memfd_create};
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectStartToFail();
}

/* The capability of mounting is gone, with that of user namespaces. */
static void WithoutPrivileges(void) {
  static const int kCalls[] = {SYS_unshare, SYS_clone3, SYS_setns};
  for (int capability = 0; capability < 64; ++capability) {
    prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  CHECK(setresgid(65534, 65534, 65534) == 0);
  CHECK(setresuid(65534, 65534, 65534) == 0);
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectStartToFail();
}

static void ForbiddenThingsAreNamed(void) {
  RequireContainers();
  Prepare();
  InChild(WithoutClone, 60);
  InChild(WithoutMounts, 60);
  InChild(WithoutMemfd, 60);
  InChild(WithoutPrivileges, 60);
}

/* --- E12: the host is killed --- */

static void Work(void) {
  ck_engine* engine = OpenEngine(ScratchDir());
  for (;;) RunTrue(engine);
}

static void KillAndLook(void) {
  ck_error* err = NULL;
  int status = 0;
  srand(2);
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  for (int i = 0; i < 10; ++i) {
    ck_store_report* report = NULL;
    ck_container_list* list = NULL;
    ck_container_list_query_options all = CK_CONTAINER_LIST_QUERY_OPTIONS_INIT;
    all.all = 1;
    const pid_t child = fork();
    if (child == 0) {
      Work();
      _exit(0);
    }
    usleep((useconds_t)(20000 + rand() % 150000));
    CHECK(kill(child, SIGKILL) == 0);
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    ck_engine* engine = OpenEngine(ScratchDir());
    CHECK_OK(ck_container_list_query(engine, &all, &list, &err));
    for (size_t k = 0; k < ck_container_list_size(list); ++k) {
      ck_container* container = NULL;
      ck_container_remove_options force = CK_CONTAINER_REMOVE_OPTIONS_INIT;
      force.force = 1;
      CHECK_OK(ck_container_find(
          engine, ck_container_info_id(ck_container_list_at(list, k)), NULL,
          &container, &err));
      CHECK_OK(ck_container_remove(container, &force, &err));
      ck_container_release(container);
    }
    ck_container_list_release(list);
    RunTrue(engine);
    CHECK_OK(ck_engine_check_store(engine, NULL, &report, &err));
    for (size_t k = 0; k < ck_store_report_size(report); ++k) {
      /* What the engine is just removing is no damage. */
      if (strcmp(ck_store_report_kind_at(report, k), "trash") == 0) continue;
      FailCase(__FILE__, __LINE__, ck_store_report_problem_at(report, k));
    }
    ck_store_report_release(report);
    ck_engine_release(engine);
  }
  /* Helpers of the killed end by themselves. */
  for (int i = 0; i < 300; ++i) {
    if (waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD) return;
    usleep(10000);
  }
  FailCase(__FILE__, __LINE__, "a helper of a killed host stayed");
}

static void KilledHostsLeaveNoMess(void) {
  RequireContainers();
  Prepare();
  InChild(KillAndLook, 120);
}

int main(void) {
  static const TestCase kCases[] = {
      {"ThreadsDoNotHurt", ThreadsDoNotHurt},
      {"CopiesComeAndGo", CopiesComeAndGo},
      {"CancelIsQuickAndClean", CancelIsQuickAndClean},
      {"ForbiddenThingsAreNamed", ForbiddenThingsAreNamed},
      {"KilledHostsLeaveNoMess", KilledHostsLeaveNoMess},
  };
  return RUN_CASES("GuestProcess", kCases);
}
