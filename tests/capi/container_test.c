/* Lives of containers, through C. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/capi/support.h"

/* Ends with 3 on SIGTERM; runs, handler and all, when this returns. */
static ck_container* StartSleeper(ck_engine* engine) {
  ck_error* err = NULL;
  ck_session* session = NULL;
  Collected out;
  ck_container_start_options start = CK_CONTAINER_START_OPTIONS_INIT;
  ck_container* container = MakeContainer(
      engine, "sh", "-c",
      "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done", NULL);
  start.attach = 1;
  CHECK_OK(ck_container_start(container, &start, &session, &err));
  memset(&out, 0, sizeof out);
  out.answer = 1;
  CHECK(ck_session_read(session, NULL, Collect, &out, NULL, NULL, NULL, &err) ==
        CK_CANCELLED);
  CHECK_STR(out.text, "ready\n");
  ck_error_release(err);
  ck_session_release(session);
  return container;
}

static void Remove(ck_container* container) {
  ck_error* err = NULL;
  ck_container_remove_options options = CK_CONTAINER_REMOVE_OPTIONS_INIT;
  options.force = 1;
  CHECK_OK(ck_container_remove(container, &options, &err));
  ck_container_release(container);
}

static void RunsToItsEnd(void) {
  RequireContainers();
  const HostState before = ReadHostState();
  ck_error* err = NULL;
  ck_session* session = NULL;
  Collected out;
  ck_container_start_options start = CK_CONTAINER_START_OPTIONS_INIT;
  ck_container_info* info = NULL;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container =
      MakeContainer(engine, "sh", "-c", "echo out; echo err >&2; exit 7", NULL);
  CHECK(strlen(ck_container_id(container)) == 64);
  memset(&out, 0, sizeof out);
  start.attach = 1;
  CHECK_ERROR(ck_container_start(container, &start, NULL, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  CHECK_OK(ck_container_start(container, &start, &session, &err));
  CHECK(ck_session_pid(session) > 0);
  CHECK(ck_session_poll_fd(session) >= 0);
  CHECK(ReadAll(session, &out) == 7);
  CHECK(strstr(out.text, "out\n") != NULL && strstr(out.text, "err\n") != NULL);
  CHECK(out.released == 1);
  ck_session_release(session);

  int32_t code = -1;
  uint8_t oom = 9;
  CHECK_OK(ck_container_wait(container, NULL, &code, &oom, &err));
  CHECK(code == 7 && oom == 0);
  CHECK_OK(ck_container_inspect(container, NULL, &info, &err));
  CHECK_STR(ck_container_info_id(info), ck_container_id(container));
  CHECK(ck_container_info_name(info)[0] != 0);
  CHECK(strncmp(ck_container_info_image_id(info), "sha256:", 7) == 0);
  CHECK_STR(ck_container_info_image(info), "busybox");
  CHECK(ck_container_info_state(info) == CK_CONTAINER_EXITED);
  CHECK_STR(ck_container_info_state_name(info), "exited");
  CHECK(ck_container_info_health(info) == CK_HEALTH_NONE);
  CHECK(ck_container_info_health_failing_streak(info) == 0);
  CHECK(ck_container_info_pid(info) == 0);
  CHECK(ck_container_info_exit_code(info) == 7);
  CHECK(ck_container_info_oom_killed(info) == 0);
  CHECK_STR(ck_container_info_error(info), "");
  CHECK(ck_container_info_created_ns(info) > 1700000000LL * 1000000000LL);
  CHECK(ck_container_info_started_ns(info) >=
        ck_container_info_created_ns(info));
  CHECK(ck_container_info_finished_ns(info) >=
        ck_container_info_started_ns(info));
  CHECK(ck_container_info_restart_count(info) == 0);
  CHECK(ck_string_list_size(ck_container_info_command(info)) == 3);
  CHECK_STR(ck_string_list_at(ck_container_info_command(info), 0), "sh");
  CHECK(ck_string_list_at(ck_container_info_command(info), 3) == NULL);
  CHECK(ck_string_map_size(ck_container_info_labels(info)) == 0);
  CHECK(ck_container_info_log_path(info)[0] == '/');
  CHECK(ck_string_list_size(ck_container_info_warnings(info)) == 0);
  ck_container_info_release(info);

  CHECK_OK(ck_container_remove(container, NULL, &err));
  CHECK_ERROR(ck_container_inspect(container, NULL, &info, &err), CK_NOT_FOUND,
              CK_REASON_CONTAINER_NOT_FOUND);
  ck_container_release(container);
  ck_engine_release(engine);
  CheckHostState(&before);
}

static void StopSendsTheSignal(void) {
  RequireContainers();
  ck_error* err = NULL;
  int32_t code = -1;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  CHECK_ERROR(ck_container_start(container, NULL, NULL, &err),
              CK_FAILED_PRECONDITION, CK_REASON_ALREADY_STARTED);
  CHECK_OK(ck_container_stop(container, NULL, &err));
  CHECK_OK(ck_container_wait(container, NULL, &code, NULL, &err));
  CHECK(code == 3);
  CHECK_ERROR(ck_container_stop(container, NULL, &err), CK_FAILED_PRECONDITION,
              CK_REASON_ALREADY_STOPPED);
  CHECK_OK(ck_container_restart(container, NULL, &err));
  CHECK_OK(ck_container_kill(container, NULL, &err));
  CHECK_OK(ck_container_wait(container, NULL, &code, NULL, &err));
  CHECK(code == 128 + SIGKILL);
  CHECK_ERROR(ck_container_kill(container, NULL, &err), CK_FAILED_PRECONDITION,
              CK_REASON_NOT_RUNNING);
  Remove(container);
  ck_engine_release(engine);
}

static void PauseFreezes(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_container_info* info = NULL;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  CHECK_ERROR(ck_container_unpause(container, NULL, &err),
              CK_FAILED_PRECONDITION, CK_REASON_NOT_PAUSED);
  CHECK_OK(ck_container_pause(container, NULL, &err));
  CHECK_OK(ck_container_inspect(container, NULL, &info, &err));
  CHECK(ck_container_info_state(info) == CK_CONTAINER_PAUSED);
  ck_container_info_release(info);
  CHECK_ERROR(ck_container_pause(container, NULL, &err), CK_FAILED_PRECONDITION,
              CK_REASON_CONTAINER_PAUSED);
  CHECK_OK(ck_container_unpause(container, NULL, &err));
  Remove(container);
  ck_engine_release(engine);
}

static void* TriggerSoon(void* cancel) {
  const struct timespec pause = {0, 50 * 1000 * 1000};
  nanosleep(&pause, NULL);
  ck_cancel_trigger(cancel);
  return NULL;
}

static void WaitsEnd(void) {
  RequireContainers();
  ck_error* err = NULL;
  int32_t code = 77;
  pthread_t thread;
  ck_container_wait_options wait = CK_CONTAINER_WAIT_OPTIONS_INIT;
  ck_cancel* cancel = NULL;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  wait.timeout_ns = 0;
  CHECK_ERROR(ck_container_wait(container, &wait, &code, NULL, &err),
              CK_DEADLINE_EXCEEDED, CK_REASON_TIMEOUT);
  wait.timeout_ns = 20 * 1000 * 1000;
  CHECK_ERROR(ck_container_wait(container, &wait, &code, NULL, &err),
              CK_DEADLINE_EXCEEDED, CK_REASON_TIMEOUT);
  CHECK_OK(ck_cancel_create(&cancel, &err));
  wait.timeout_ns = CK_FOREVER;
  wait.cancel = cancel;
  CHECK(pthread_create(&thread, NULL, TriggerSoon, cancel) == 0);
  CHECK_ERROR(ck_container_wait(container, &wait, &code, NULL, &err),
              CK_CANCELLED, CK_REASON_CANCELLED);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(code == 77);
  wait.condition = 3;
  CHECK_ERROR(ck_container_wait(container, &wait, &code, NULL, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  ck_cancel_release(cancel);
  Remove(container);
  ck_engine_release(engine);
}

static void ExecTalksBothWays(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_session* session = NULL;
  const char* const cat[] = {"cat"};
  const char* const env[] = {"GREETING=hello"};
  const char* const print[] = {"sh", "-c", "echo $GREETING; pwd"};
  const char* const snooze[] = {"sleep", "100"};
  Collected out;
  ck_container_exec_options options = CK_CONTAINER_EXEC_OPTIONS_INIT;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  CHECK(Exec(container, &out, "sh", "-c", "echo hi; exit 5", NULL) == 5);
  CHECK_STR(out.text, "hi\n");

  options.stdin_stream = 1;
  memset(&out, 0, sizeof out);
  CHECK_OK(ck_container_exec(container, cat, 1, &options, &session, &err));
  CHECK_OK(ck_session_write(session, "one\ntwo\n", 8, NULL, &err));
  CHECK_ERROR(ck_session_write(session, NULL, 8, NULL, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  CHECK_OK(ck_session_close_stdin(session, &err));
  CHECK(ReadAll(session, &out) == 0);
  CHECK_STR(out.text, "one\ntwo\n");
  ck_session_release(session);

  ck_container_exec_options_init(&options, sizeof options);
  options.env = env;
  options.env_count = 1;
  options.working_dir = "/tmp";
  memset(&out, 0, sizeof out);
  CHECK_OK(ck_container_exec(container, print, 3, &options, &session, &err));
  CHECK(ReadAll(session, &out) == 0);
  CHECK_STR(out.text, "hello\n/tmp\n");
  ck_session_release(session);

  CHECK_OK(ck_container_exec(container, snooze, 2, NULL, &session, &err));
  CHECK_OK(ck_session_signal(session, SIGKILL, &err));
  CHECK(ReadAll(session, &out) == 128 + SIGKILL);
  CHECK_ERROR(ck_session_signal(session, SIGKILL, &err), CK_FAILED_PRECONDITION,
              CK_REASON_NOT_RUNNING);
  CHECK_ERROR(ck_session_resize(session, 1, 1, &err), CK_FAILED_PRECONDITION,
              CK_REASON_NOT_RUNNING);
  CHECK_ERROR(ck_session_write(session, "x", 1, NULL, &err),
              CK_FAILED_PRECONDITION, CK_REASON_NOT_RUNNING);
  ck_session_release(session);

  options.env = NULL;
  CHECK_ERROR(ck_container_exec(container, print, 3, &options, &session, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  CHECK(session == NULL);
  Remove(container);
  ck_engine_release(engine);
}

static void TerminalHasASize(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_session* session = NULL;
  const char* const shell[] = {"sh", "-c", "stty size; read x; stty size"};
  Collected out;
  ck_container_exec_options options = CK_CONTAINER_EXEC_OPTIONS_INIT;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  options.tty = 1;
  options.stdin_stream = 1;
  options.rows = 33;
  options.columns = 99;
  memset(&out, 0, sizeof out);
  CHECK_OK(ck_container_exec(container, shell, 3, &options, &session, &err));
  /* The first line, before the size changes. */
  out.answer = 1;
  CHECK(ck_session_read(session, NULL, Collect, &out, NULL, NULL, NULL, &err) ==
        CK_CANCELLED);
  ck_error_release(err);
  err = NULL;
  CHECK_STR(out.text, "33 99\r\n");
  CHECK_OK(ck_session_resize(session, 44, 111, &err));
  CHECK_OK(ck_session_write(session, "\n", 1, NULL, &err));
  out.answer = 0;
  CHECK(ReadAll(session, &out) == 0);
  CHECK(strstr(out.text, "44 111\r\n") != NULL);
  ck_session_release(session);
  Remove(container);
  ck_engine_release(engine);
}

static void CallbackEndsTheCall(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_session* session = NULL;
  const char* const yes[] = {"yes"};
  Collected out;
  ck_session_read_options read_options = CK_SESSION_READ_OPTIONS_INIT;
  ck_cancel* cancel = NULL;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  CHECK_OK(ck_cancel_create(&cancel, &err));
  read_options.cancel = cancel;
  CHECK_OK(ck_container_exec(container, yes, 1, NULL, &session, &err));
  memset(&out, 0, sizeof out);
  out.answer = 42;
  CHECK(ck_session_read(session, &read_options, Collect, &out, CountRelease,
                        NULL, NULL, &err) == CK_CANCELLED);
  CHECK(ck_error_callback_code(err) == 42);
  ck_error_release(err);
  CHECK(out.chunks == 1 && out.released == 1);
  CHECK(ck_cancel_triggered(cancel) == 0);
  /* It may be read again; the host's cancel ends it too. */
  out.answer = 0;
  ck_cancel_trigger(cancel);
  CHECK_ERROR(ck_session_read(session, &read_options, Collect, &out,
                              CountRelease, NULL, NULL, &err),
              CK_CANCELLED, CK_REASON_CANCELLED);
  CHECK(out.released == 2);
  ck_session_release(session);
  ck_cancel_release(cancel);
  Remove(container);
  ck_engine_release(engine);
}

static ck_session* g_session;
static ck_container* g_container;

static int32_t ReleaseEverything(void* user_data, int32_t stream,
                                 const void* data, size_t size,
                                 int64_t time_ns) {
  ck_error* err = NULL;
  ck_container_info* info = NULL;
  int32_t* calls = user_data;
  (void)stream, (void)data, (void)size, (void)time_ns;
  if (++*calls > 1) return 0;
  /* A callback may call the library, and drop the handles of its own call. */
  if (ck_container_inspect(g_container, NULL, &info, &err) != CK_OK) return 9;
  ck_container_info_release(info);
  if (ck_session_read(g_session, NULL, NULL, NULL, NULL, NULL, NULL, &err) !=
      CK_FAILED_PRECONDITION) {
    return 10;
  }
  ck_error_release(err);
  ck_session_release(g_session);
  return 0;
}

static void CallbackMayReleaseItsHandle(void) {
  RequireContainers();
  ck_error* err = NULL;
  int32_t calls = 0;
  int32_t code = -1;
  const char* const print[] = {"sh", "-c", "echo one; sleep 0.05; echo two"};
  ck_engine* engine = EngineWithBusybox();
  g_container = StartSleeper(engine);
  CHECK_OK(ck_container_exec(g_container, print, 3, NULL, &g_session, &err));
  CHECK_OK(ck_session_read(g_session, NULL, ReleaseEverything, &calls, NULL,
                           &code, NULL, &err));
  CHECK(code == 0 && calls >= 2);
  CHECK(ck_session_pid(g_session) == 0);
  Remove(g_container);
  ck_engine_release(engine);
}

static void LogsAreKept(void) {
  RequireContainers();
  ck_error* err = NULL;
  Collected out;
  ck_container_logs_options logs = CK_CONTAINER_LOGS_OPTIONS_INIT;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container =
      MakeContainer(engine, "sh", "-c", "echo a; echo b >&2; echo c", NULL);
  CHECK_OK(ck_container_start(container, NULL, NULL, &err));
  CHECK_OK(ck_container_wait(container, NULL, NULL, NULL, &err));
  memset(&out, 0, sizeof out);
  CHECK_OK(
      ck_container_logs(container, NULL, Collect, &out, CountRelease, &err));
  CHECK(out.chunks == 3 && out.released == 1 && out.size == 6);
  memset(&out, 0, sizeof out);
  logs.tail = 1;
  logs.stderr_stream = 0;
  CHECK_OK(
      ck_container_logs(container, &logs, Collect, &out, CountRelease, &err));
  CHECK_STR(out.text, "c\n");
  memset(&out, 0, sizeof out);
  out.answer = 5;
  CHECK(ck_container_logs(container, NULL, Collect, &out, CountRelease, &err) ==
        CK_CANCELLED);
  CHECK(ck_error_callback_code(err) == 5 && out.chunks == 1);
  ck_error_release(err);
  err = NULL;
  CHECK_ERROR(
      ck_container_logs(container, NULL, NULL, &out, CountRelease, &err),
      CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  CHECK(out.released == 2);
  Remove(container);
  ck_engine_release(engine);
}

static void AttachSeesOutput(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_session* session = NULL;
  Collected out;
  ck_container_config* config = NULL;
  ck_container* container = NULL;
  const char* const cat[] = {"cat"};
  ck_container_config_create_options options =
      CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT;
  ck_container_attach_options attach = CK_CONTAINER_ATTACH_OPTIONS_INIT;
  ck_engine* engine = EngineWithBusybox();
  options.image = "busybox";
  options.open_stdin = 1;
  options.stdin_once = 1;
  CHECK_OK(ck_container_config_create(&options, &config, &err));
  CHECK_OK(ck_container_config_set_command(config, cat, 1, &err));
  CHECK_OK(ck_container_create(engine, config, NULL, &container, &err));
  ck_container_config_release(config);
  CHECK_ERROR(ck_container_attach(container, NULL, &session, &err),
              CK_FAILED_PRECONDITION, CK_REASON_NOT_RUNNING);
  CHECK_OK(ck_container_start(container, NULL, NULL, &err));
  attach.stdin_stream = 1;
  CHECK_OK(ck_container_attach(container, &attach, &session, &err));
  CHECK_OK(ck_session_write(session, "ping\n", 5, NULL, &err));
  CHECK_OK(ck_session_close_stdin(session, &err));
  memset(&out, 0, sizeof out);
  CHECK(ReadAll(session, &out) == 0);
  CHECK_STR(out.text, "ping\n");
  ck_session_release(session);
  Remove(container);
  ck_engine_release(engine);
}

static void StatsAndTopRead(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_container_stats* stats = NULL;
  ck_process_table* table = NULL;
  const char* const columns[] = {"pid", "comm"};
  ck_container_top_options top = CK_CONTAINER_TOP_OPTIONS_INIT;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  CHECK_OK(ck_container_read_stats(container, NULL, &stats, &err));
  CHECK(ck_container_stats_time_ns(stats) > 0);
  CHECK(ck_container_stats_cpu_total_ns(stats) > 0);
  CHECK(ck_container_stats_cpu_user_ns(stats) <=
        ck_container_stats_cpu_total_ns(stats) + 1000000000u);
  CHECK(ck_container_stats_cpu_system_ns(stats) < 3600000000000u);
  CHECK(ck_container_stats_host_cpu_ns(stats) > 0);
  CHECK(ck_container_stats_online_cpus(stats) > 0);
  CHECK(ck_container_stats_memory_usage_bytes(stats) > 0);
  CHECK(ck_container_stats_memory_limit_bytes(stats) == 0);
  CHECK(ck_container_stats_memory_cache_bytes(stats) < 1u << 30);
  CHECK(ck_container_stats_pids_current(stats) >= 1);
  CHECK(ck_container_stats_pids_limit(stats) == 0);
  CHECK(ck_container_stats_block_read_bytes(stats) < 1u << 30);
  CHECK(ck_container_stats_block_write_bytes(stats) < 1u << 30);
  ck_container_stats_release(stats);
  CHECK_OK(ck_container_top(container, NULL, &table, &err));
  CHECK_STR(ck_string_list_at(ck_process_table_titles(table), 1), "PID");
  CHECK(ck_process_table_size(table) >= 1);
  CHECK(ck_string_list_size(ck_process_table_at(table, 0)) ==
        ck_string_list_size(ck_process_table_titles(table)));
  CHECK(ck_process_table_at(table, 1000) == NULL);
  ck_process_table_release(table);
  top.columns = columns;
  top.columns_count = 2;
  CHECK_OK(ck_container_top(container, &top, &table, &err));
  CHECK(ck_string_list_size(ck_process_table_titles(table)) == 2);
  ck_process_table_release(table);
  Remove(container);
  ck_engine_release(engine);
}

static void FilesGoInAndOut(void) {
  RequireContainers();
  ck_error* err = NULL;
  Collected out;
  ck_path_stat* stat = NULL;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  CHECK(Exec(container, &out, "sh", "-c",
             "mkdir /a /b; echo text > /a/file; ln -s file /a/link",
             NULL) != 1000);
  const int tar = memfd_create("tar", MFD_CLOEXEC);
  CHECK(tar >= 0);
  CHECK_OK(ck_container_copy_out(container, "/a/file", tar, NULL, &err));
  CHECK(lseek(tar, 0, SEEK_SET) == 0);
  CHECK_OK(ck_container_copy_in(container, "/b", tar, NULL, &err));
  CHECK(Exec(container, &out, "cat", "/b/file", NULL) == 0);
  CHECK_STR(out.text, "text\n");
  close(tar);
  CHECK_OK(ck_container_stat_path(container, "/a/file", NULL, &stat, &err));
  CHECK_STR(ck_path_stat_name(stat), "file");
  CHECK(ck_path_stat_size_bytes(stat) == 5);
  CHECK((ck_path_stat_mode(stat) & 0777) == 0644);
  CHECK(ck_path_stat_modified_ns(stat) > 0);
  CHECK_STR(ck_path_stat_link_target(stat), "");
  ck_path_stat_release(stat);
  CHECK_ERROR(ck_container_stat_path(container, "/none", NULL, &stat, &err),
              CK_NOT_FOUND, CK_REASON_PATH_NOT_FOUND);
  CHECK_ERROR(ck_container_copy_out(container, "/none", 1, NULL, &err),
              CK_NOT_FOUND, CK_REASON_PATH_NOT_FOUND);
  Remove(container);
  ck_engine_release(engine);
}

static void RenameFindUpdateList(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_container* found = NULL;
  ck_container_list* list = NULL;
  ck_container_list_query_options query = CK_CONTAINER_LIST_QUERY_OPTIONS_INIT;
  ck_container_update_options update = CK_CONTAINER_UPDATE_OPTIONS_INIT;
  ck_resources_create_options limits = CK_RESOURCES_CREATE_OPTIONS_INIT;
  ck_container_stats* stats = NULL;
  ck_resources* resources = NULL;
  ck_filters* filters = NULL;
  ck_string* json = NULL;
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = StartSleeper(engine);
  CHECK_OK(ck_container_rename(container, "renamed", NULL, &err));
  CHECK_ERROR(ck_container_rename(container, "bad name", NULL, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_NAME);
  CHECK_OK(ck_container_find(engine, "renamed", NULL, &found, &err));
  CHECK_STR(ck_container_id(found), ck_container_id(container));
  ck_container_release(found);
  CHECK_ERROR(ck_container_find(engine, "nobody", NULL, &found, &err),
              CK_NOT_FOUND, CK_REASON_CONTAINER_NOT_FOUND);
  CHECK(found == NULL);

  CHECK_OK(ck_filters_create(&filters, &err));
  CHECK_OK(ck_filters_add(filters, "name", "renamed", &err));
  query.filters = filters;
  CHECK_OK(ck_container_list_query(engine, &query, &list, &err));
  CHECK(ck_container_list_size(list) == 1);
  const ck_container_info* borrowed = ck_container_list_at(list, 0);
  CHECK(ck_container_list_at(list, 1) == NULL);
  ck_container_info* kept = ck_container_info_retain(borrowed);
  ck_container_list_release(list);
  CHECK_STR(ck_container_info_name(kept), "renamed");
  CHECK(ck_container_info_pid(kept) > 0);
  ck_container_info_release(kept);
  ck_filters_release(filters);

  limits.memory_bytes = 48 << 20;
  limits.pids_limit = 50;
  CHECK_OK(ck_resources_create(&limits, &resources, &err));
  update.resources = resources;
  update.has_restart_policy = 1;
  update.restart_policy = CK_RESTART_ON_FAILURE;
  CHECK_OK(ck_container_update(container, &update, &err));
  update.restart_policy = 9;
  CHECK_ERROR(ck_container_update(container, &update, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  ck_resources_release(resources);
  CHECK_OK(ck_container_read_stats(container, NULL, &stats, &err));
  CHECK(ck_container_stats_memory_limit_bytes(stats) == 48 << 20);
  CHECK(ck_container_stats_pids_limit(stats) == 50);
  ck_container_stats_release(stats);
  CHECK_OK(ck_container_inspect_json(container, NULL, &json, &err));
  CHECK(strstr(ck_string_data(json), "/renamed") != NULL);
  ck_string_release(json);
  Remove(container);
  ck_engine_release(engine);
}

static void FailedStartsSayWhy(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_container* container = NULL;
  ck_container_config* config = NULL;
  ck_engine* engine = EngineWithBusybox();
  container = MakeContainer(engine, "/no/such/program", NULL);
  CHECK_ERROR(ck_container_start(container, NULL, NULL, &err), CK_NOT_FOUND,
              CK_REASON_COMMAND_NOT_FOUND);
  Remove(container);
  container = MakeContainer(engine, "/etc/passwd", NULL);
  CHECK_ERROR(ck_container_start(container, NULL, NULL, &err),
              CK_PERMISSION_DENIED, CK_REASON_COMMAND_NOT_EXECUTABLE);
  Remove(container);
  CHECK_OK(ck_container_config_create(NULL, &config, &err));
  CHECK(ck_container_create(engine, config, NULL, &container, &err) != CK_OK);
  CHECK(container == NULL && ck_error_message(err)[0] != 0);
  ck_error_release(err);
  ck_container_config_release(config);
  ck_engine_release(engine);
}

int main(void) {
  static const TestCase kCases[] = {
      {"RunsToItsEnd", RunsToItsEnd},
      {"StopSendsTheSignal", StopSendsTheSignal},
      {"PauseFreezes", PauseFreezes},
      {"WaitsEnd", WaitsEnd},
      {"ExecTalksBothWays", ExecTalksBothWays},
      {"TerminalHasASize", TerminalHasASize},
      {"CallbackEndsTheCall", CallbackEndsTheCall},
      {"CallbackMayReleaseItsHandle", CallbackMayReleaseItsHandle},
      {"LogsAreKept", LogsAreKept},
      {"AttachSeesOutput", AttachSeesOutput},
      {"StatsAndTopRead", StatsAndTopRead},
      {"FilesGoInAndOut", FilesGoInAndOut},
      {"RenameFindUpdateList", RenameFindUpdateList},
      {"FailedStartsSayWhy", FailedStartsSayWhy},
  };
  return RUN_CASES("CapiContainer", kCases);
}
