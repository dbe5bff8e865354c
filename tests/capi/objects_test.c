/* Objects that need no engine: errors, versions, cancellation, builders. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "tests/capi/support.h"

static void VersionsAgree(void) {
  CHECK_STR(ck_version(), "0.1.0");
  CHECK(ck_abi_version() == CK_API_TARGET);
  CHECK(ck_has_feature(NULL) == 0);
  CHECK(ck_has_feature("no.such.feature") == 0);
  CHECK(ck_has_feature("runtime.seccomp") == 1);
}

static void ErrorsCarryEverything(void) {
  ck_error* err = NULL;
  ck_error* kept = NULL;
  CHECK(ck_filters_add(NULL, "a", "b", &err) == CK_INVALID_ARGUMENT);
  kept = ck_error_retain(err);
  CHECK(kept == err);
  ck_error_release(err);
  CHECK(ck_error_code(kept) == CK_INVALID_ARGUMENT);
  CHECK(ck_error_reason(kept) == CK_REASON_INVALID_ARGUMENT);
  CHECK_STR(ck_error_reason_name(kept), "InvalidArgument");
  CHECK(ck_error_errno(kept) == 0);
  CHECK(strstr(ck_error_message(kept), "ck_filters") != NULL);
  CHECK_STR(ck_error_operation(kept), "capi.handle");
  CHECK_STR(ck_error_object_kind(kept), "");
  CHECK_STR(ck_error_object_id(kept), "");
  CHECK_STR(ck_error_path(kept), "");
  CHECK_STR(ck_error_hint(kept), "");
  CHECK(ck_error_retryable(kept) == 0);
  CHECK(ck_error_callback_code(kept) == 0);
  ck_error_release(kept);
  CHECK(ck_error_code(kept) == 0);
  CHECK_STR(ck_error_message(kept), "");
}

static void SystemErrorsHaveErrnoAndPath(void) {
  ck_error* err = NULL;
  ck_engine* engine = (ck_engine*)1;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  options.root = "/dev/null/nowhere";
  CHECK(ck_engine_open(&options, &engine, &err) != CK_OK);
  CHECK(engine == NULL);
  CHECK(ck_error_errno(err) != 0);
  CHECK(strstr(ck_error_path(err), "/dev/null") != NULL);
  CHECK(strstr(ck_error_message(err), "/dev/null") != NULL);
  ck_error_release(err);
}

static void FailedCallLeavesNullError(void) {
  ck_error* err = (ck_error*)1;
  ck_filters* filters = NULL;
  CHECK_OK(ck_filters_create(&filters, &err));
  CHECK(err == NULL);
  CHECK_OK(ck_filters_add(filters, "label", "a=b", NULL));
  CHECK_ERROR(ck_filters_add(filters, NULL, "b", &err), CK_INVALID_ARGUMENT,
              CK_REASON_INVALID_ARGUMENT);
  CHECK_ERROR(ck_filters_add(filters, "a", NULL, &err), CK_INVALID_ARGUMENT,
              CK_REASON_INVALID_ARGUMENT);
  CHECK(ck_filters_retain(filters) == filters);
  ck_filters_release(filters);
  ck_filters_release(filters);
  CHECK(ck_filters_retain(filters) == NULL);
}

static ck_cancel* g_cancel;

static void OnAlarm(int signal) {
  (void)signal;
  ck_cancel_trigger(g_cancel);
}

static void CancelIsTriggeredBySignalHandlers(void) {
  ck_error* err = NULL;
  struct sigaction action;
  struct sigaction old;
  CHECK_OK(ck_cancel_create(&g_cancel, &err));
  CHECK(ck_cancel_triggered(g_cancel) == 0);
  memset(&action, 0, sizeof action);
  action.sa_handler = OnAlarm;
  CHECK(sigaction(SIGUSR1, &action, &old) == 0);
  raise(SIGUSR1);
  CHECK(sigaction(SIGUSR1, &old, NULL) == 0);
  CHECK(ck_cancel_triggered(g_cancel) == 1);
  ck_cancel_release(g_cancel);
  CHECK(ck_cancel_triggered(g_cancel) == 0);
  ck_cancel_trigger(g_cancel);
}

static void ConfigTakesEverything(void) {
  ck_error* err = NULL;
  ck_container_config* c = NULL;
  ck_resources* r = NULL;
  ck_resources_create_options limits = CK_RESOURCES_CREATE_OPTIONS_INIT;
  const char* const list[] = {"/proc/acpi", "/sys/firmware"};
  const char* const health[] = {"CMD", "true"};
  limits.memory_bytes = 64 << 20;
  CHECK_OK(ck_resources_create(&limits, &r, &err));
  CHECK_OK(ck_resources_add_device_limit(r, CK_DEVICE_LIMIT_WEIGHT, "/dev/vda",
                                         100, &err));
  CHECK_OK(ck_resources_add_device_limit(r, CK_DEVICE_LIMIT_READ_BPS,
                                         "/dev/vda", 1 << 20, &err));
  CHECK_ERROR(ck_resources_add_device_limit(r, CK_DEVICE_LIMIT_WEIGHT,
                                            "/dev/vda", 70000, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  CHECK_ERROR(ck_resources_add_device_limit(r, 99, "/dev/vda", 1, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  CHECK_OK(ck_resources_add_device_rule(r, "c 13:* rwm", &err));
  CHECK_OK(ck_resources_set_unified(r, "memory.high", "1G", &err));

  CHECK_OK(ck_container_config_create(NULL, &c, &err));
  CHECK_OK(ck_container_config_set_entrypoint(c, list, 1, &err));
  CHECK_OK(ck_container_config_set_command(c, NULL, 0, &err));
  CHECK_OK(ck_container_config_add_env(c, "A=b", &err));
  CHECK_OK(ck_container_config_set_label(c, "a", "b", &err));
  CHECK_OK(ck_container_config_set_annotation(c, "a", "b", &err));
  CHECK_OK(ck_container_config_set_sysctl(c, "net.core.somaxconn", "1", &err));
  CHECK_OK(ck_container_config_add_group(c, "100", &err));
  CHECK_OK(ck_container_config_add_exposed_port(c, "80/tcp", &err));
  CHECK_OK(ck_container_config_add_ulimit(c, "nofile", 10, -1, &err));
  CHECK_OK(ck_container_config_add_bind(c, "/tmp", "/t", NULL, &err));
  CHECK_OK(ck_container_config_add_tmpfs(c, "/run", NULL, &err));
  CHECK_OK(ck_container_config_add_device(c, "/dev/null", NULL, NULL, &err));
  CHECK_OK(ck_container_config_set_namespace(
      c, CK_NAMESPACE_IPC, CK_NAMESPACE_FROM_CONTAINER, "other", &err));
  CHECK_OK(ck_container_config_set_user_namespace(c, CK_USERNS_MAPPED, &err));
  CHECK_OK(ck_container_config_add_id_map(c, CK_ID_USER | CK_ID_GROUP, 0,
                                          100000, 65536, &err));
  for (int32_t grant = CK_GRANT_PRIVILEGED; grant <= CK_GRANT_ALL_CAPABILITIES;
       ++grant) {
    CHECK_OK(ck_container_config_allow(c, grant, &err));
  }
  CHECK_OK(ck_container_config_add_capability(c, "NET_ADMIN", &err));
  CHECK_OK(ck_container_config_drop_capability(c, "ALL", &err));
  CHECK_OK(ck_container_config_set_seccomp(c, CK_SECCOMP_CUSTOM, "{}", &err));
  CHECK_OK(ck_container_config_set_apparmor(c, NULL, &err));
  CHECK_OK(ck_container_config_add_selinux_label(c, "disable", &err));
  CHECK_OK(ck_container_config_set_masked_paths(c, list, 2, &err));
  CHECK_OK(ck_container_config_set_readonly_paths(c, list, 2, &err));
  CHECK_OK(ck_container_config_set_resources(c, r, &err));
  CHECK_OK(ck_container_config_set_resources(c, NULL, &err));
  CHECK_OK(ck_container_config_add_dns_server(c, "127.0.0.1", &err));
  CHECK_OK(ck_container_config_add_dns_search(c, "example.org", &err));
  CHECK_OK(ck_container_config_add_dns_option(c, "ndots:1", &err));
  CHECK_OK(ck_container_config_add_host(c, "a", "10.0.0.1", &err));
  CHECK_OK(ck_container_config_set_health(c, health, 2, NULL, &err));
  CHECK_OK(ck_container_config_set_restart(c, CK_RESTART_ALWAYS, 0, &err));
  CHECK_OK(ck_container_config_set_log(c, CK_LOG_DRIVER_JSON_FILE, NULL, &err));
  ck_resources_release(r);
  ck_container_config_release(c);
}

static void ConfigRefusesValuesThatHaveNoName(void) {
  ck_error* err = NULL;
  ck_container_config* c = NULL;
  const char* const holes[] = {"a", NULL};
  ck_container_config_add_bind_options bind =
      CK_CONTAINER_CONFIG_ADD_BIND_OPTIONS_INIT;
  CHECK_OK(ck_container_config_create(NULL, &c, &err));
#define REFUSED(call) \
  CHECK_ERROR(call, CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT)
  REFUSED(ck_container_config_set_command(c, holes, 2, &err));
  REFUSED(ck_container_config_set_command(c, NULL, 1, &err));
  REFUSED(ck_container_config_add_env(c, NULL, &err));
  REFUSED(ck_container_config_set_label(c, "a", NULL, &err));
  REFUSED(ck_container_config_set_namespace(c, 9, 0, NULL, &err));
  REFUSED(ck_container_config_set_namespace(c, 0, 9, NULL, &err));
  REFUSED(ck_container_config_set_namespace(
      c, CK_NAMESPACE_PID, CK_NAMESPACE_FROM_CONTAINER, NULL, &err));
  REFUSED(ck_container_config_set_namespace(
      c, CK_NAMESPACE_PID, CK_NAMESPACE_FROM_HOST, "other", &err));
  REFUSED(ck_container_config_set_user_namespace(c, -1, &err));
  REFUSED(ck_container_config_add_id_map(c, 0, 0, 0, 1, &err));
  REFUSED(ck_container_config_add_id_map(c, 4, 0, 0, 1, &err));
  REFUSED(ck_container_config_allow(c, 0, &err));
  REFUSED(ck_container_config_allow(c, 9, &err));
  REFUSED(ck_container_config_set_seccomp(c, 4, NULL, &err));
  REFUSED(ck_container_config_set_seccomp(c, CK_SECCOMP_CUSTOM, NULL, &err));
  REFUSED(ck_container_config_set_seccomp(c, CK_SECCOMP_DEFAULT, "{}", &err));
  REFUSED(ck_container_config_set_restart(c, 4, 0, &err));
  REFUSED(ck_container_config_set_log(c, 2, NULL, &err));
  bind.propagation = 6;
  REFUSED(ck_container_config_add_bind(c, "/a", "/b", &bind, &err));
  bind.propagation = 0;
  bind.recursive = 4;
  REFUSED(ck_container_config_add_bind(c, "/a", "/b", &bind, &err));
#undef REFUSED
  ck_container_config_release(c);
}

/* Handles are counted right when many threads take and drop them. */
static void* RetainAndRelease(void* handle) {
  for (int i = 0; i < 20000; ++i) {
    ck_filters* kept = ck_filters_retain(handle);
    if (kept != handle) return kept;
    ck_filters_release(kept);
  }
  return NULL;
}

static void ReferenceCountsAreThreadSafe(void) {
  ck_error* err = NULL;
  ck_filters* filters = NULL;
  pthread_t threads[8];
  CHECK_OK(ck_filters_create(&filters, &err));
  for (int i = 0; i < 8; ++i) {
    CHECK(pthread_create(&threads[i], NULL, RetainAndRelease, filters) == 0);
  }
  for (int i = 0; i < 8; ++i) {
    void* wrong = filters;
    CHECK(pthread_join(threads[i], &wrong) == 0);
    CHECK(wrong == NULL);
  }
  CHECK_OK(ck_filters_add(filters, "a", "b", &err));
  ck_filters_release(filters);
  CHECK_ERROR(ck_filters_add(filters, "a", "b", &err), CK_INVALID_ARGUMENT,
              CK_REASON_INVALID_ARGUMENT);
}

static void FailedOpenReleasesTheLogData(void) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  Collected data;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  memset(&data, 0, sizeof data);
  options.root = "/dev/null/nowhere";
  options.log_user_data = &data;
  options.log_user_data_release = CountRelease;
  CHECK(ck_engine_open(&options, &engine, &err) != CK_OK);
  ck_error_release(err);
  CHECK(data.released == 1);
  options.reserved[0] = 1;
  CHECK_ERROR(ck_engine_open(&options, &engine, &err), CK_INVALID_ARGUMENT,
              CK_REASON_INVALID_ARGUMENT);
  CHECK(data.released == 2);
  options.reserved[0] = 0;
  CHECK_ERROR(ck_engine_open(&options, NULL, &err), CK_INVALID_ARGUMENT,
              CK_REASON_INVALID_ARGUMENT);
  CHECK(data.released == 3);
}

int main(void) {
  static const TestCase kCases[] = {
      {"VersionsAgree", VersionsAgree},
      {"ErrorsCarryEverything", ErrorsCarryEverything},
      {"SystemErrorsHaveErrnoAndPath", SystemErrorsHaveErrnoAndPath},
      {"FailedCallLeavesNullError", FailedCallLeavesNullError},
      {"CancelIsTriggeredBySignalHandlers", CancelIsTriggeredBySignalHandlers},
      {"ConfigTakesEverything", ConfigTakesEverything},
      {"ConfigRefusesValuesThatHaveNoName", ConfigRefusesValuesThatHaveNoName},
      {"ReferenceCountsAreThreadSafe", ReferenceCountsAreThreadSafe},
      {"FailedOpenReleasesTheLogData", FailedOpenReleasesTheLogData},
  };
  return RUN_CASES("CapiObjects", kCases);
}
