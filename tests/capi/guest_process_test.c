/* The library in hosts that thread, load and unload and die (E02, E08, E12),
 * and with a second copy of itself beside. CK_GUEST_FULL=1: the full amounts.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static int Amount(int few, int full) {
  const char* all = getenv("CK_GUEST_FULL");
  return all != NULL && all[0] == '1' ? full : few;
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
  const int runs = Amount(25, 5000);
  for (int i = 0; i < runs; ++i) {
    /* The watchdog: SIGALRM ends a run that hangs. */
    alarm(10);
    RunTrue(engine);
  }
  alarm(0);
  printf("%d runs among 64 busy threads\n", runs);
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
  InChild(RunAmongThreads, Amount(120, 1200));
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

/* --- E12: the host is killed --- */

static volatile int* g_operations; /* done by all hosts, shared with them */

static void Work(void) {
  ck_engine* engine = OpenEngine(ScratchDir());
  for (;;) {
    RunTrue(engine);
    *g_operations += 4;
  }
}

static void KillAndLook(void) {
  ck_error* err = NULL;
  int status = 0;
  const int wanted = Amount(0, 500);
  srand(2);
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  g_operations = mmap(NULL, sizeof *g_operations, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(g_operations != MAP_FAILED);
  for (int round = 0; round < 10 || *g_operations < wanted; ++round) {
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
      /* What the engine is just removing is no damage, nor what a host left
         that was killed between the record's removal and the directory's. */
      const char* kind = ck_store_report_kind_at(report, k);
      if (strcmp(kind, "trash") == 0) continue;
      if (strcmp(kind, "orphan-container-dir") == 0) continue;
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
  InChild(KillAndLook, Amount(120, 600));
}

int main(void) {
  static const TestCase kCases[] = {
      {"ThreadsDoNotHurt", ThreadsDoNotHurt},
      {"CopiesComeAndGo", CopiesComeAndGo},
      {"KilledHostsLeaveNoMess", KilledHostsLeaveNoMess},
  };
  return RUN_CASES("GuestProcess", kCases);
}
