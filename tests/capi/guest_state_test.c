/* The library in someone else's house (E03 to E07): whatever the host did to
 * itself, and nothing of it changed afterwards. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/capi/support.h"

extern char** environ;

static ck_engine* OpenWithImage(void) {
  ck_error* err = NULL;
  ck_image_info* info = NULL;
  ck_engine* engine = OpenEngine(ScratchDir());
  if (ck_image_inspect(engine, "busybox", NULL, &info, &err) != CK_OK) {
    ck_error_release(err);
    ImportBusybox(engine);
  }
  ck_image_info_release(info);
  return engine;
}

/* One container from start to end, with everything that a host can notice. */
static void RunOne(ck_engine* engine, const char* script, int wanted) {
  ck_error* err = NULL;
  ck_session* session = NULL;
  ck_container_start_options start = CK_CONTAINER_START_OPTIONS_INIT;
  Collected out;
  int32_t code = -1;
  ck_container* container = MakeContainer(engine, "sh", "-c", script, NULL);
  memset(&out, 0, sizeof out);
  start.attach = 1;
  CHECK_OK(ck_container_start(container, &start, &session, &err));
  CHECK(ReadAll(session, &out) == wanted);
  ck_session_release(session);
  CHECK_OK(ck_container_wait(container, NULL, &code, NULL, &err));
  CHECK(code == wanted);
  CHECK_OK(ck_container_remove(container, NULL, &err));
  ck_container_release(container);
}

static void OpenRunRelease(void) {
  ck_engine* engine = OpenWithImage();
  RunOne(engine, "echo hello; exit 6", 6);
  ck_engine_release(engine);
}

/* --- E03: the host's children and SIGCHLD --- */

static volatile sig_atomic_t g_sigchld;
static volatile sig_atomic_t g_reaped;

static void ReapAll(int signal) {
  const int saved = errno;
  (void)signal;
  ++g_sigchld;
  while (waitpid(-1, NULL, WNOHANG) > 0) ++g_reaped;
  errno = saved;
}

static void IgnoreAndRun(void) {
  signal(SIGCHLD, SIG_IGN);
  OpenRunRelease();
}

static void NoWaitAndRun(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = SIG_DFL;
  action.sa_flags = SA_NOCLDWAIT;
  CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
  OpenRunRelease();
}

static void HandleAndRun(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = ReapAll;
  CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
  OpenRunRelease();
  /* Nothing of the library's came to the host's handler ... */
  CHECK(g_sigchld == 0);
  CHECK(g_reaped == 0);
  /* ... and what is the host's does. */
  const pid_t child = fork();
  if (child == 0) _exit(0);
  for (int i = 0; i < 500 && g_reaped == 0; ++i) usleep(10000);
  CHECK(g_reaped == 1);
}

static void KeepOwnChildAndRun(void) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) _exit(11);
  OpenRunRelease();
  CHECK(waitpid(-1, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 11);
  CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
}

static void SubreapAndRun(void) {
  int status = 0;
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  OpenRunRelease();
  /* A subreaper inherits what the library started, once that has ended. */
  for (int i = 0; i < 300; ++i) {
    if (waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD) return;
    usleep(10000);
  }
  FailCase(__FILE__, __LINE__, "a process of the library stayed");
}

static void ChildrenStayTheHosts(void) {
  RequireContainers();
  InChild(IgnoreAndRun, 60);
  InChild(NoWaitAndRun, 60);
  InChild(HandleAndRun, 60);
  InChild(KeepOwnChildAndRun, 60);
  InChild(SubreapAndRun, 60);
}

/* --- E04, E05: nothing of the process changes --- */

typedef struct House {
  char cwd[256];
  mode_t mask;
  char environment[16384]; /* every string, in order */
  void (*handlers[65])(int);
  int handler_flags[65];
  sigset_t blocked;
  stack_t stack;
  char locale[256];
  struct rlimit limits[RLIMIT_NLIMITS];
  int nice;
  int dumpable;
  int subreaper;
  int no_new_privs;
  int personality;
  int oom_score_adj;
  struct itimerval timers[3];
  sigset_t pending;
  cpu_set_t affinity;
  char namespaces[10][64];
  int strange_threads; /* in other namespaces than this one */
  char status[1024];   /* ids, groups, capabilities */
  HostState state;
} House;

static void ReadStatus(char* out, size_t size) {
  char line[512];
  FILE* in = fopen("/proc/thread-self/status", "re");
  out[0] = 0;
  while (in != NULL && fgets(line, sizeof line, in) != NULL) {
    if (strncmp(line, "Uid", 3) == 0 || strncmp(line, "Gid", 3) == 0 ||
        strncmp(line, "Groups", 6) == 0 || strncmp(line, "Cap", 3) == 0 ||
        strncmp(line, "Seccomp:", 8) == 0) {
      strncat(out, line, size - strlen(out) - 1);
    }
  }
  if (in != NULL) fclose(in);
}

static const char* const kNamespaces[] = {"cgroup", "ipc",  "mnt",
                                          "net",    "pid",  "pid_for_children",
                                          "time",   "user", "uts"};

static int CountStrangeThreads(const House* house) {
  char path[320];
  int strange = 0;
  struct dirent* entry;
  DIR* dir = opendir("/proc/self/task");
  CHECK(dir != NULL);
  while ((entry = readdir(dir)) != NULL) {
    for (size_t i = 0; i < sizeof kNamespaces / sizeof kNamespaces[0]; ++i) {
      char target[64] = "";
      snprintf(path, sizeof path, "/proc/self/task/%s/ns/%s", entry->d_name,
               kNamespaces[i]);
      if (readlink(path, target, sizeof target - 1) > 0 &&
          strcmp(target, house->namespaces[i]) != 0) {
        ++strange;
      }
    }
  }
  closedir(dir);
  return strange;
}

static void ReadHouse(House* house) {
  char path[64];
  size_t i;
  memset(house, 0, sizeof *house);
  CHECK(getcwd(house->cwd, sizeof house->cwd) != NULL);
  house->mask = umask(0);
  umask(house->mask);
  for (i = 0; environ[i] != NULL; ++i) {
    strncat(house->environment, environ[i],
            sizeof house->environment - strlen(house->environment) - 2);
    strcat(house->environment, "\n");
  }
  for (i = 1; i <= 64; ++i) {
    struct sigaction action;
    if (sigaction((int)i, NULL, &action) != 0) continue;
    house->handlers[i] = action.sa_handler;
    house->handler_flags[i] = action.sa_flags;
  }
  pthread_sigmask(SIG_BLOCK, NULL, &house->blocked);
  sigaltstack(NULL, &house->stack);
  snprintf(house->locale, sizeof house->locale, "%s", setlocale(LC_ALL, NULL));
  for (i = 0; i < RLIMIT_NLIMITS; ++i) {
    getrlimit((int)i, &house->limits[i]);
  }
  house->nice = getpriority(PRIO_PROCESS, 0);
  house->dumpable = prctl(PR_GET_DUMPABLE);
  prctl(PR_GET_CHILD_SUBREAPER, &house->subreaper);
  house->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  sched_getaffinity(0, sizeof house->affinity, &house->affinity);
  for (i = 0; i < sizeof kNamespaces / sizeof kNamespaces[0]; ++i) {
    snprintf(path, sizeof path, "/proc/thread-self/ns/%s", kNamespaces[i]);
    CHECK(readlink(path, house->namespaces[i],
                   sizeof house->namespaces[i] - 1) > 0);
  }
  house->strange_threads = CountStrangeThreads(house);
  house->personality = personality(0xffffffff);
  FILE* score = fopen("/proc/self/oom_score_adj", "re");
  CHECK(score != NULL && fscanf(score, "%d", &house->oom_score_adj) == 1);
  fclose(score);
  for (i = 0; i < 3; ++i) getitimer((int)i, &house->timers[i]);
  sigpending(&house->pending);
  ReadStatus(house->status, sizeof house->status);
}

static void CheckHouse(const House* before) {
  House now;
  ReadHouse(&now);
#define SAME(field) \
  CHECK(memcmp(&now.field, &before->field, sizeof now.field) == 0)
  SAME(cwd);
  SAME(mask);
  SAME(environment);
  SAME(handlers);
  SAME(handler_flags);
  SAME(blocked);
  SAME(stack);
  SAME(locale);
  SAME(limits);
  SAME(nice);
  SAME(dumpable);
  SAME(subreaper);
  SAME(no_new_privs);
  SAME(personality);
  SAME(oom_score_adj);
  SAME(timers);
  SAME(pending);
  SAME(strange_threads);
  SAME(affinity);
  SAME(namespaces);
  SAME(status);
#undef SAME
}

static void CompareHouses(void) {
  ck_error* err = NULL;
  ck_container* container = NULL;
  House before;
  /* Unusual values, so that a default would show. */
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  umask(037);
  CHECK(chdir("/usr") == 0);
  CHECK(setenv("CK_ROOT", "/nowhere", 1) == 0);
  ReadHouse(&before);
  const HostState state = ReadHostState();
  ck_engine* engine = OpenWithImage();
  RunOne(engine, "true", 0);
  CheckHouse(&before);
  /* After failures too. */
  container = MakeContainer(engine, "/no/such", NULL);
  CHECK_ERROR(ck_container_start(container, NULL, NULL, &err), CK_NOT_FOUND,
              CK_REASON_COMMAND_NOT_FOUND);
  CHECK_OK(ck_container_remove(container, NULL, &err));
  ck_container_release(container);
  CheckHouse(&before);
  ck_engine_release(engine);
  CheckHouse(&before);
  CheckHostState(&state);
}

static int CountLinesOf(const char* path) {
  int lines = 0;
  int c;
  FILE* in = fopen(path, "re");
  CHECK(in != NULL);
  while ((c = getc(in)) != EOF) lines += c == '\n';
  fclose(in);
  return lines;
}

/* Mappings: what the first engine has loaded and the allocator keeps is there
 * for good; more engines add nothing. */
static void CompareMappings(void) {
  OpenRunRelease();
  OpenRunRelease();
  const int before = CountLinesOf("/proc/self/maps");
  for (int i = 0; i < 10; ++i) OpenRunRelease();
  CHECK(CountLinesOf("/proc/self/maps") <= before + 2);
}

static void NothingOfTheHostChanges(void) {
  RequireContainers();
  InChild(CompareHouses, 60);
  InChild(CompareMappings, 60);
}

static volatile sig_atomic_t g_alarms;

static void OnAlarm(int signal) {
  (void)signal;
  ++g_alarms;
}

static void RunInAStorm(void) {
  struct sigaction action;
  const struct itimerval often = {{0, 1000}, {0, 1000}};
  const struct itimerval never = {{0, 0}, {0, 0}};
  ck_engine* engine = OpenWithImage();
  memset(&action, 0, sizeof action);
  action.sa_handler = OnAlarm; /* without SA_RESTART: EINTR everywhere */
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
  for (int i = 0; i < 5; ++i) {
    RunOne(engine, "seq 1 2000 | wc -l; exit 6", 6);
  }
  CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
  CHECK(g_alarms > 10);
  ck_engine_release(engine);
}

static void SignalStormsDoNotHurt(void) {
  RequireContainers();
  InChild(RunInAStorm, 60);
}

static void WriteToTheDead(void) {
  ck_error* err = NULL;
  ck_session* session = NULL;
  const char* const command[] = {"true"};
  char block[4096] = {0};
  ck_container_exec_options options = CK_CONTAINER_EXEC_OPTIONS_INIT;
  ck_engine* engine = OpenWithImage();
  ck_container* container = MakeContainer(engine, "sleep", "100", NULL);
  signal(SIGPIPE, SIG_DFL);
  CHECK_OK(ck_container_start(container, NULL, NULL, &err));
  options.stdin_stream = 1;
  CHECK_OK(ck_container_exec(container, command, 1, &options, &session, &err));
  CHECK_OK(ck_session_read(session, NULL, NULL, NULL, NULL, NULL, NULL, &err));
  /* It may be refused; it must not kill the host. */
  for (int i = 0; i < 20; ++i) {
    ck_session_write(session, block, sizeof block, NULL, NULL);
  }
  ck_session_release(session);
  ck_container_remove_options force = CK_CONTAINER_REMOVE_OPTIONS_INIT;
  force.force = 1;
  CHECK_OK(ck_container_remove(container, &force, &err));
  ck_container_release(container);
  ck_engine_release(engine);
}

static void NoSigpipe(void) {
  RequireContainers();
  InChild(WriteToTheDead, 60);
}

/* --- E06: fork --- */

static void ForkAndUse(void) {
  ck_error* err = NULL;
  ck_engine_info* info = NULL;
  int status = 0;
  ck_engine* engine = OpenWithImage();
  RunOne(engine, "true", 0);
  const pid_t child = fork();
  if (child == 0) {
    const ck_status code = ck_engine_inspect(engine, NULL, &info, &err);
    const int forked = code == CK_FAILED_PRECONDITION &&
                       ck_error_reason(err) == CK_REASON_FORKED;
    ck_engine_release(engine);
    _exit(forked ? 0 : 20 + code);
  }
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  /* The parent has lost nothing by it. */
  CHECK_OK(ck_engine_inspect(engine, NULL, &info, &err));
  ck_engine_info_release(info);
  RunOne(engine, "exit 4", 4);
  ck_engine_release(engine);
}

static volatile int g_stop;

/* Starts programs all the time; each counts the descriptors it was born with.
 */
static void* ForkAndExec(void* own_path) {
  volatile intptr_t leaks = 0; /* vfork() returns twice */
  while (!g_stop) {
    int status = 0;
    const pid_t child = vfork();
    if (child == 0) {
      execl(own_path, own_path, "--count-descriptors", (char*)NULL);
      _exit(99);
    }
    if (child > 0 && waitpid(child, &status, 0) == child &&
        (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) {
      ++leaks;
    }
  }
  return (void*)leaks;
}

static void RunBesideForks(void) {
  static char path[512];
  pthread_t thread;
  void* leaks = NULL;
  CHECK(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
  /* What the test itself was given is not the library's. */
  for (int fd = 3; fd < 1024; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);
  CHECK(pthread_create(&thread, NULL, ForkAndExec, path) == 0);
  ck_engine* engine = OpenWithImage();
  for (int i = 0; i < 5; ++i) RunOne(engine, "echo hello", 0);
  ck_engine_release(engine);
  g_stop = 1;
  CHECK(pthread_join(thread, &leaks) == 0);
  CHECK(leaks == NULL);
}

static void ForksDoNotHurt(void) {
  RequireContainers();
  InChild(ForkAndUse, 60);
  InChild(RunBesideForks, 120);
}

/* --- E07: few, many and odd descriptors --- */

static void CloseStandardAndRun(void) {
  struct stat st;
  for (int fd = 0; fd < 3; ++fd) close(fd);
  OpenRunRelease();
  for (int fd = 0; fd < 3; ++fd) CHECK(fstat(fd, &st) == -1);
}

/* Whatever goes wrong or well, standard streams are the host's. */
static void NothingIsPrinted(void) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  int ends[2];
  int written = -1;
  CHECK(pipe2(ends, O_CLOEXEC) == 0);
  for (int fd = 0; fd < 3; ++fd) CHECK(dup2(ends[1], fd) == fd);
  OpenRunRelease();
  options.root = "/proc/self/no/such/root";
  CHECK(ck_engine_open(&options, &engine, &err) != CK_OK);
  ck_error_release(err);
  CHECK(ioctl(ends[0], FIONREAD, &written) == 0);
  CHECK(written == 0);
}

static void FewDescriptors(void) {
  const struct rlimit few = {64, 64};
  CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
  OpenRunRelease();
}

static void NoDescriptors(void) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  struct rlimit limit;
  options.root = ScratchDir();
  while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0) {
  }
  CHECK(errno == EMFILE);
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  CHECK(ck_engine_open(&options, &engine, &err) != CK_OK);
  CHECK(engine == NULL);
  CHECK(ck_error_message(err)[0] != 0 && ck_error_operation(err)[0] != 0);
  ck_error_release(err);
}

static void ManyDescriptors(void) {
  const struct rlimit many = {16384, 16384};
  if (setrlimit(RLIMIT_NOFILE, &many) != 0) return;
  for (int i = 0; i < 15000; ++i) {
    CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
  }
  OpenRunRelease();
}

static void LittleAddressSpace(void) {
  const struct rlimit little = {512 << 20, 512 << 20};
  CHECK(setrlimit(RLIMIT_AS, &little) == 0);
  OpenRunRelease();
}

/* --- E05: a realtime host, whose policy is not its containers' --- */

static void BeRealtimeAndRun(void) {
  const struct sched_param priority = {.sched_priority = 1};
  CHECK(sched_setscheduler(0, SCHED_RR, &priority) == 0);
  ck_engine* engine = OpenWithImage();
  RunOne(engine, "exit 1$(cut -d ' ' -f 41 /proc/self/stat)", 10);
  ck_engine_release(engine);
  CHECK(sched_getscheduler(0) == SCHED_RR);
}

static void RealtimeHosts(void) {
  const struct sched_param usual = {.sched_priority = 0};
  const struct sched_param priority = {.sched_priority = 1};
  RequireContainers();
  /* A cgroup of v1's cpu controller may have no share of realtime. */
  if (sched_setscheduler(0, SCHED_RR, &priority) != 0) SkipCase("realtime");
  CHECK(sched_setscheduler(0, SCHED_OTHER, &usual) == 0);
  InChild(BeRealtimeAndRun, 60);
}

static void DescriptorsAndMemoryAreShort(void) {
  RequireContainers();
  /* The image is imported under normal conditions. */
  InChild(OpenRunRelease, 60);
  InChild(CloseStandardAndRun, 60);
  InChild(NothingIsPrinted, 60);
  InChild(FewDescriptors, 60);
  InChild(NoDescriptors, 60);
  InChild(ManyDescriptors, 60);
  InChild(LittleAddressSpace, 60);
}

static int CountDescriptors(void) {
  int others = 0;
  struct dirent* entry;
  DIR* dir = opendir("/proc/self/fd");
  while (dir != NULL && (entry = readdir(dir)) != NULL) {
    const int fd = atoi(entry->d_name);
    if (entry->d_name[0] != '.' && fd > 2 && fd != dirfd(dir)) ++others;
  }
  return others;
}

int main(int argc, char** argv) {
  static const TestCase kCases[] = {
      {"ChildrenStayTheHosts", ChildrenStayTheHosts},
      {"NothingOfTheHostChanges", NothingOfTheHostChanges},
      {"SignalStormsDoNotHurt", SignalStormsDoNotHurt},
      {"NoSigpipe", NoSigpipe},
      {"ForksDoNotHurt", ForksDoNotHurt},
      {"RealtimeHosts", RealtimeHosts},
      {"DescriptorsAndMemoryAreShort", DescriptorsAndMemoryAreShort},
  };
  if (argc > 1 && strcmp(argv[1], "--count-descriptors") == 0) {
    return CountDescriptors();
  }
  return RUN_CASES("GuestState", kCases);
}
