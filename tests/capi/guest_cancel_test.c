/* Every call that takes a ck_cancel, ended at a random time by another thread
 * and by a signal handler (E09). CK_GUEST_FULL=1: ten times as often. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/capi/support.h"

typedef struct Host {
  ck_engine* engine;
  ck_container* running; /* sleeps */
  char silent[64];       /* an image of a registry that never answers */
  int pipe;              /* an archive that never comes */
} Host;

static void RemoveByForce(ck_container* container) {
  ck_error* err = NULL;
  ck_container_remove_options force = CK_CONTAINER_REMOVE_OPTIONS_INIT;
  force.force = 1;
  CHECK_OK(ck_container_remove(container, &force, &err));
  ck_container_release(container);
}

/* --- what is cancelled --- */

static ck_status CancelStart(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_session* session = NULL;
  ck_container_start_options start = CK_CONTAINER_START_OPTIONS_INIT;
  ck_session_read_options read_options = CK_SESSION_READ_OPTIONS_INIT;
  ck_container* container = MakeContainer(host->engine, "sleep", "100", NULL);
  start.attach = 1;
  start.cancel = cancel;
  read_options.cancel = cancel;
  ck_status status = ck_container_start(container, &start, &session, err);
  if (status == CK_OK) {
    status = ck_session_read(session, &read_options, NULL, NULL, NULL, NULL,
                             NULL, err);
  }
  ck_session_release(session);
  RemoveByForce(container);
  return status;
}

static ck_status CancelExec(Host* host, ck_cancel* cancel, ck_error** err) {
  static const char* const kCommand[] = {"sleep", "100"};
  ck_session* session = NULL;
  ck_container_exec_options exec = CK_CONTAINER_EXEC_OPTIONS_INIT;
  ck_session_read_options read_options = CK_SESSION_READ_OPTIONS_INIT;
  exec.cancel = cancel;
  read_options.cancel = cancel;
  ck_status status =
      ck_container_exec(host->running, kCommand, 2, &exec, &session, err);
  if (status == CK_OK) {
    status = ck_session_read(session, &read_options, NULL, NULL, NULL, NULL,
                             NULL, err);
    ck_session_signal(session, SIGKILL, NULL);
  }
  ck_session_release(session);
  return status;
}

static ck_status CancelWait(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_container_wait_options options = CK_CONTAINER_WAIT_OPTIONS_INIT;
  options.timeout_ns = CK_FOREVER;
  options.cancel = cancel;
  return ck_container_wait(host->running, &options, NULL, NULL, err);
}

static ck_status CancelWaitForRemoval(Host* host, ck_cancel* cancel,
                                      ck_error** err) {
  ck_container_wait_options options = CK_CONTAINER_WAIT_OPTIONS_INIT;
  options.timeout_ns = CK_FOREVER;
  options.condition = CK_WAIT_REMOVED;
  options.cancel = cancel;
  return ck_container_wait(host->running, &options, NULL, NULL, err);
}

static ck_status CancelLogs(Host* host, ck_cancel* cancel, ck_error** err) {
  static Collected out;
  ck_container_logs_options options = CK_CONTAINER_LOGS_OPTIONS_INIT;
  memset(&out, 0, sizeof out);
  options.follow = 1;
  options.cancel = cancel;
  return ck_container_logs(host->running, &options, Collect, &out, NULL, err);
}

static int32_t Ignore(void* user_data, const ck_event* event) {
  (void)user_data;
  (void)event;
  return 0;
}

static ck_status CancelWatch(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_engine_watch_options options = CK_ENGINE_WATCH_OPTIONS_INIT;
  options.cancel = cancel;
  return ck_engine_watch(host->engine, &options, Ignore, NULL, NULL, err);
}

static ck_status CancelPull(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_image_info* info = NULL;
  ck_image_pull_options options = CK_IMAGE_PULL_OPTIONS_INIT;
  options.cancel = cancel;
  const ck_status status =
      ck_image_pull(host->engine, host->silent, &options, &info, err);
  ck_image_info_release(info);
  return status;
}

static ck_status CancelCopyIn(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_container_copy_in_options options = CK_CONTAINER_COPY_IN_OPTIONS_INIT;
  options.cancel = cancel;
  return ck_container_copy_in(host->running, "/tmp", host->pipe, &options, err);
}

/* Nobody reads it. */
static ck_status CancelCopyOut(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_container_copy_out_options options = CK_CONTAINER_COPY_OUT_OPTIONS_INIT;
  int ends[2];
  CHECK(pipe(ends) == 0);
  options.cancel = cancel;
  const ck_status status =
      ck_container_copy_out(host->running, "/bin", ends[1], &options, err);
  CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
  return status;
}

/* A first process without a handler does not see SIGTERM. */
static ck_container* StartDeaf(Host* host) {
  ck_error* err = NULL;
  ck_container* container = MakeContainer(host->engine, "sleep", "100", NULL);
  CHECK_OK(ck_container_start(container, NULL, NULL, &err));
  return container;
}

static void CheckRuns(ck_container* container) {
  ck_error* err = NULL;
  ck_container_wait_options options = CK_CONTAINER_WAIT_OPTIONS_INIT;
  options.timeout_ns = 0;
  CHECK_ERROR(ck_container_wait(container, &options, NULL, NULL, &err),
              CK_DEADLINE_EXCEEDED, CK_REASON_TIMEOUT);
}

static ck_status CancelStop(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_container_stop_options options = CK_CONTAINER_STOP_OPTIONS_INIT;
  ck_container* container = StartDeaf(host);
  options.timeout_ns = CK_FOREVER;
  options.cancel = cancel;
  const ck_status status = ck_container_stop(container, &options, err);
  CheckRuns(container);
  RemoveByForce(container);
  return status;
}

static ck_status CancelRestart(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_container_restart_options options = CK_CONTAINER_RESTART_OPTIONS_INIT;
  ck_container* container = StartDeaf(host);
  options.timeout_ns = CK_FOREVER;
  options.cancel = cancel;
  const ck_status status = ck_container_restart(container, &options, err);
  CheckRuns(container);
  RemoveByForce(container);
  return status;
}

static ck_status CancelWrite(Host* host, ck_cancel* cancel, ck_error** err) {
  static const char* const kCommand[] = {"sleep", "100"};
  static const char kMuch[4 << 20];
  static Collected out;
  ck_session* session = NULL;
  ck_container_exec_options exec = CK_CONTAINER_EXEC_OPTIONS_INIT;
  ck_session_write_options options = CK_SESSION_WRITE_OPTIONS_INIT;
  exec.stdin_stream = 1;
  options.cancel = cancel;
  ck_status status =
      ck_container_exec(host->running, kCommand, 2, &exec, &session, err);
  if (status == CK_OK) {
    status = ck_session_write(session, kMuch, sizeof kMuch, &options, err);
    /* Does not queue behind what nobody reads. */
    CHECK(ck_session_signal(session, SIGKILL, NULL) == CK_OK);
    CHECK(ReadAll(session, &out) == 137);
  }
  ck_session_release(session);
  return status;
}

static ck_status CancelLoad(Host* host, ck_cancel* cancel, ck_error** err) {
  ck_string_list* names = NULL;
  ck_image_load_options options = CK_IMAGE_LOAD_OPTIONS_INIT;
  options.cancel = cancel;
  const ck_status status =
      ck_image_load_fd(host->engine, host->pipe, &options, &names, err);
  ck_string_list_release(names);
  return status;
}

/* --- who cancels --- */

static useconds_t g_delay;

static void* TriggerLater(void* cancel) {
  usleep(g_delay);
  ck_cancel_trigger(cancel);
  return NULL;
}

static ck_cancel* volatile g_cancel;

static void TriggerInHandler(int signal) {
  (void)signal;
  ck_cancel_trigger(g_cancel);
}

typedef ck_status (*Operation)(Host*, ck_cancel*, ck_error**);

static void CancelOnce(Host* host, Operation operation, int by_signal) {
  pthread_t thread;
  ck_error* err = NULL;
  ck_cancel* cancel = NULL;
  CHECK_OK(ck_cancel_create(&cancel, &err));
  g_cancel = cancel;
  g_delay = (useconds_t)(rand() % 20000 + 1);
  if (by_signal) {
    const struct itimerval timer = {{0, 0}, {0, (suseconds_t)g_delay}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
  } else {
    CHECK(pthread_create(&thread, NULL, TriggerLater, cancel) == 0);
  }
  /* A call that does not end is ended with the process, by InChild(). */
  const ck_status status = operation(host, cancel, &err);
  if (!by_signal) CHECK(pthread_join(thread, NULL) == 0);
  CHECK(ck_cancel_triggered(cancel));
  CHECK_ERROR(status, CK_CANCELLED, CK_REASON_CANCELLED);
  ck_cancel_release(cancel);
}

/* The store has nothing to say about what was cancelled. */
static void CheckStore(ck_engine* engine) {
  ck_error* err = NULL;
  ck_store_report* report = NULL;
  CHECK_OK(ck_engine_check_store(engine, NULL, &report, &err));
  for (size_t i = 0; i < ck_store_report_size(report); ++i) {
    if (strcmp(ck_store_report_kind_at(report, i), "trash") == 0) continue;
    FailCase(__FILE__, __LINE__, ck_store_report_problem_at(report, i));
  }
  ck_store_report_release(report);
}

/* Calls that end by themselves, here too soon to be met in the middle. */
static void CancelBefore(ck_engine* engine) {
  ck_error* err = NULL;
  ck_cancel* cancel = NULL;
  ck_store_report* report = NULL;
  ck_engine_check_store_options check = CK_ENGINE_CHECK_STORE_OPTIONS_INIT;
  ck_engine_prune_options prune = CK_ENGINE_PRUNE_OPTIONS_INIT;
  ck_container* container = MakeContainer(engine, "true", NULL, NULL);
  CHECK_OK(ck_cancel_create(&cancel, &err));
  ck_cancel_trigger(cancel);
  check.cancel = cancel;
  CHECK_ERROR(ck_engine_check_store(engine, &check, &report, &err),
              CK_CANCELLED, CK_REASON_CANCELLED);
  prune.cancel = cancel;
  CHECK_ERROR(ck_engine_prune(engine, &prune, NULL, &err), CK_CANCELLED,
              CK_REASON_CANCELLED);
  ck_cancel_release(cancel);
  CHECK_OK(ck_container_remove(container, NULL, &err));
  ck_container_release(container);
}

static void CancelEach(Host* host, int rounds) {
  static const Operation kOperations[] = {
      CancelStart,  CancelExec,    CancelWait,  CancelWaitForRemoval,
      CancelLogs,   CancelWatch,   CancelPull,  CancelLoad,
      CancelStop,   CancelRestart, CancelWrite, CancelCopyIn,
      CancelCopyOut};
  for (size_t i = 0; i < sizeof kOperations / sizeof kOperations[0]; ++i) {
    for (int k = 0; k < rounds; ++k) {
      CancelOnce(host, kOperations[i], k % 2);
    }
  }
}

static void CancelEverything(void) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  int ends[2];
  Host host;
  ck_error* err = NULL;
  const char* full = getenv("CK_GUEST_FULL");
  const int rounds = full != NULL && full[0] == '1' ? 200 : 20;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = TriggerInHandler;
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  srand(1);
  host.engine = OpenEngine(ScratchDir());
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(listener, (struct sockaddr*)&address, sizeof address) == 0);
  CHECK(listen(listener, 4096) == 0);
  CHECK(getsockname(listener, (struct sockaddr*)&address, &size) == 0);
  snprintf(host.silent, sizeof host.silent, "127.0.0.1:%d/silent:1",
           ntohs(address.sin_port));
  CHECK(pipe(ends) == 0);
  host.pipe = ends[0];
  host.running = MakeContainer(host.engine, "sleep", "1000", NULL);
  CHECK_OK(ck_container_start(host.running, NULL, NULL, &err));
  /* What is made once and kept, the store's janitor for one, is made now. */
  CancelEach(&host, 1);
  const HostState before = ReadHostState();
  CancelEach(&host, rounds);
  CheckHostState(&before);
  CancelBefore(host.engine);
  CheckStore(host.engine);
  RemoveByForce(host.running);
  ck_engine_release(host.engine);
}

static void EveryCallEndsWhenCancelled(void) {
  const char* full = getenv("CK_GUEST_FULL");
  RequireContainers();
  ck_engine* engine = EngineWithBusybox();
  ck_engine_release(engine);
  InChild(CancelEverything, full != NULL && full[0] == '1' ? 600 : 120);
}

int main(void) {
  static const TestCase kCases[] = {
      {"EveryCallEndsWhenCancelled", EveryCallEndsWhenCancelled},
  };
  return RUN_CASES("GuestCancel", kCases);
}
