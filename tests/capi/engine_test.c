/* The engine, images, scopes and events, through C. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/capi/support.h"

static void EngineTellsWhatItIs(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_engine_info* info = NULL;
  ck_engine* engine = OpenEngine(ScratchDir());
  CHECK_OK(ck_engine_inspect(engine, NULL, &info, &err));
  CHECK_STR(ck_engine_info_root(info), ScratchDir());
  CHECK(ck_engine_info_rootless(info) == 0);
  CHECK(ck_engine_info_cgroup_version(info) == 1 ||
        ck_engine_info_cgroup_version(info) == 2);
  CHECK(strchr(ck_engine_info_kernel_version(info), '.') != NULL);
  CHECK(ck_engine_info_operating_system(info)[0] != 0);
  CHECK(ck_engine_info_architecture(info)[0] != 0);
  CHECK(strncmp(ck_engine_info_storage_driver(info), "overlay", 7) == 0);
  CHECK(ck_string_list_size(ck_engine_info_security_options(info)) > 0);
  CHECK(ck_engine_info_containers(info) == 0);
  CHECK(ck_engine_info_containers_running(info) == 0);
  CHECK(ck_engine_info_containers_paused(info) == 0);
  CHECK(ck_engine_info_containers_stopped(info) == 0);
  CHECK(ck_engine_info_images(info) == 0);
  CHECK(ck_engine_info_cpus(info) == sysconf(_SC_NPROCESSORS_ONLN));
  CHECK(ck_engine_info_memory_bytes(info) > 0);
  CHECK(ck_engine_info_warnings(info) != NULL);
  CHECK(ck_engine_info_json(info)[0] == '{');
  ck_engine_info* kept = ck_engine_info_retain(info);
  ck_engine_info_release(info);
  CHECK_STR(ck_engine_info_root(kept), ScratchDir());
  ck_engine_info_release(kept);
  ck_engine_release(engine);
  CHECK_ERROR(ck_engine_inspect(engine, NULL, &info, &err), CK_INVALID_ARGUMENT,
              CK_REASON_INVALID_ARGUMENT);
}

static void ImagesComeAndGo(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_image_info* info = NULL;
  ck_image_list* list = NULL;
  ck_image_history* history = NULL;
  ck_image_removal* removal = NULL;
  ck_filters* filters = NULL;
  ck_image_list_query_options query = CK_IMAGE_LIST_QUERY_OPTIONS_INIT;
  ck_engine* engine = EngineWithBusybox();
  CHECK_OK(ck_image_inspect(engine, "busybox", NULL, &info, &err));
  CHECK(strncmp(ck_image_info_id(info), "sha256:", 7) == 0);
  CHECK_STR(ck_string_list_at(ck_image_info_repo_tags(info), 0),
            "busybox:latest");
  CHECK(ck_image_info_repo_digests(info) != NULL);
  CHECK(ck_image_info_created_ns(info) > 0);
  CHECK(ck_image_info_size_bytes(info) > 100000);
  CHECK(ck_string_map_size(ck_image_info_labels(info)) == 0);
  CHECK(ck_image_info_containers(info) <= 0);
  CHECK(ck_image_info_architecture(info)[0] != 0);
  CHECK_STR(ck_image_info_os(info), "linux");
  CHECK(ck_image_info_variant(info) != NULL);
  CHECK(ck_image_info_author(info) != NULL);
  CHECK_STR(ck_image_info_user(info), "");
  CHECK(ck_image_info_working_dir(info) != NULL);
  CHECK_STR(ck_image_info_stop_signal(info), "");
  CHECK_STR(ck_string_list_at(ck_image_info_env(info), 0), "PATH=/bin");
  CHECK(ck_string_list_size(ck_image_info_entrypoint(info)) == 0);
  CHECK_STR(ck_string_list_at(ck_image_info_command(info), 0), "sh");
  CHECK(ck_string_list_size(ck_image_info_exposed_ports(info)) == 0);
  CHECK(ck_string_list_size(ck_image_info_volumes(info)) == 0);
  CHECK(ck_string_list_size(ck_image_info_layers(info)) == 1);
  CHECK(ck_image_info_json(info)[0] == '{');

  CHECK_OK(ck_image_tag(engine, "busybox", "other:tag", NULL, &err));
  CHECK_ERROR(ck_image_tag(engine, "busybox", "BAD NAME", NULL, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_REFERENCE);
  CHECK_OK(ck_filters_create(&filters, &err));
  CHECK_OK(ck_filters_add(filters, "reference", "other:tag", &err));
  query.filters = filters;
  CHECK_OK(ck_image_list_query(engine, &query, &list, &err));
  CHECK(ck_image_list_size(list) == 1);
  CHECK_STR(ck_image_info_id(ck_image_list_at(list, 0)),
            ck_image_info_id(info));
  CHECK(ck_image_list_at(list, 1) == NULL);
  ck_image_list_release(list);
  ck_filters_release(filters);
  ck_image_info_release(info);

  CHECK_OK(ck_image_read_history(engine, "busybox", NULL, &history, &err));
  CHECK(ck_image_history_size(history) == 1);
  CHECK(ck_image_history_created_ns_at(history, 0) > 0);
  CHECK(ck_image_history_created_by_at(history, 0) != NULL);
  CHECK(ck_image_history_comment_at(history, 0) != NULL);
  CHECK(ck_image_history_size_bytes_at(history, 0) > 0);
  CHECK(ck_image_history_empty_layer_at(history, 0) == 0);
  CHECK(ck_image_history_comment_at(history, 1) == NULL);
  ck_image_history_release(history);

  CHECK_OK(ck_image_remove(engine, "other:tag", NULL, &removal, &err));
  CHECK_STR(ck_string_list_at(ck_image_removal_untagged(removal), 0),
            "other:tag");
  CHECK(ck_string_list_size(ck_image_removal_deleted(removal)) == 0);
  ck_image_removal_release(removal);
  CHECK_OK(ck_image_remove(engine, "busybox", NULL, NULL, &err));
  CHECK_ERROR(ck_image_inspect(engine, "busybox", NULL, &info, &err),
              CK_NOT_FOUND, CK_REASON_IMAGE_NOT_FOUND);
  CHECK(info == NULL);
  CHECK_OK(ck_image_prune(engine, NULL, &removal, &err));
  CHECK(ck_string_list_size(ck_image_removal_deleted(removal)) == 0);
  ck_image_removal_release(removal);
  ck_engine_release(engine);
}

static void BadArchivesAreRefused(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_string_list* names = NULL;
  ck_string* id = NULL;
  ck_image_load_options load = CK_IMAGE_LOAD_OPTIONS_INIT;
  ck_image_import_options import = CK_IMAGE_IMPORT_OPTIONS_INIT;
  char path[128];
  ck_engine* engine = OpenEngine(ScratchDir());
  snprintf(path, sizeof path, "%s/garbage", ScratchDir());
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && write(fd, "not an archive at all\n", 22) == 22);
  CHECK_ERROR(ck_image_load(engine, path, NULL, &names, &err),
              CK_INVALID_ARGUMENT, CK_REASON_ARCHIVE_CORRUPT);
  CHECK(names == NULL);
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  CHECK_ERROR(ck_image_load_fd(engine, fd, NULL, &names, &err),
              CK_INVALID_ARGUMENT, CK_REASON_ARCHIVE_CORRUPT);
  load.platform = "plan9/?";
  CHECK_ERROR(ck_image_load_fd(engine, fd, &load, &names, &err),
              CK_INVALID_ARGUMENT, CK_REASON_ARCHIVE_CORRUPT);
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  CHECK_ERROR(ck_image_import(engine, fd, NULL, &id, &err), CK_DATA_LOSS,
              CK_REASON_ARCHIVE_CORRUPT);
  CHECK(id == NULL);
  CHECK(ck_cancel_create((ck_cancel**)&import.cancel, &err) == CK_OK);
  ck_cancel_trigger(import.cancel);
  CHECK_ERROR(ck_image_import(engine, fd, &import, &id, &err), CK_CANCELLED,
              CK_REASON_CANCELLED);
  CHECK(id == NULL);
  ck_cancel_release(import.cancel);
  close(fd);
  CHECK(ck_image_load(engine, "/no/such/file", NULL, &names, &err) ==
        CK_NOT_FOUND);
  CHECK(strstr(ck_error_path(err), "/no/such/file") != NULL);
  ck_error_release(err);
  ck_engine_release(engine);
}

static int32_t CountProgress(void* user_data,
                             const ck_pull_progress* progress) {
  Collected* out = user_data;
  ++out->chunks;
  if (ck_pull_progress_phase(progress) > CK_PULL_RETRYING ||
      ck_pull_progress_layer_id(progress) == NULL ||
      ck_pull_progress_message(progress) == NULL ||
      (ck_pull_progress_total_bytes(progress) != 0 &&
       ck_pull_progress_current_bytes(progress) >
           ck_pull_progress_total_bytes(progress))) {
    return 1;
  }
  return out->answer;
}

static void PullSaysWhatFailed(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_image_info* info = NULL;
  Collected out;
  ck_image_pull_options pull = CK_IMAGE_PULL_OPTIONS_INIT;
  ck_engine* engine = OpenEngine(ScratchDir());
  memset(&out, 0, sizeof out);
  pull.progress = CountProgress;
  pull.progress_user_data = &out;
  pull.progress_user_data_release = CountRelease;
  CHECK_ERROR(ck_image_pull(engine, "BAD NAME", &pull, &info, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_REFERENCE);
  CHECK(info == NULL && out.released == 1);
  CHECK(ck_cancel_create((ck_cancel**)&pull.cancel, &err) == CK_OK);
  ck_cancel_trigger(pull.cancel);
  CHECK_ERROR(ck_image_pull(engine, "127.0.0.1:1/a", &pull, &info, &err),
              CK_CANCELLED, CK_REASON_CANCELLED);
  CHECK(info == NULL && out.released == 2);
  ck_cancel_release(pull.cancel);
  pull.cancel = NULL;
  pull.parallel_layers = 1000;
  CHECK_ERROR(ck_image_pull(engine, "127.0.0.1:1/a", &pull, &info, &err),
              CK_INVALID_ARGUMENT, CK_REASON_LIMIT_EXCEEDED);
  CHECK(out.released == 3);
  ck_engine_release(engine);
}

static void TagsOfARegistryThatIsNotThere(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_string_list* tags = NULL;
  ck_image_list_tags_options list = CK_IMAGE_LIST_TAGS_OPTIONS_INIT;
  ck_engine* engine = OpenEngine(ScratchDir());
  CHECK_ERROR(ck_image_list_tags(engine, "BAD NAME", &list, &tags, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_REFERENCE);
  list.username = "user";
  list.password = "secret";
  CHECK(ck_cancel_create((ck_cancel**)&list.cancel, &err) == CK_OK);
  ck_cancel_trigger(list.cancel);
  CHECK_ERROR(ck_image_list_tags(engine, "127.0.0.1:1/a", &list, &tags, &err),
              CK_CANCELLED, CK_REASON_CANCELLED);
  CHECK(tags == NULL);
  ck_cancel_release(list.cancel);
  ck_engine_release(engine);
}

static void DryRunCheckPrune(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_string* steps = NULL;
  ck_store_report* report = NULL;
  ck_prune_report* pruned = NULL;
  ck_engine* engine = EngineWithBusybox();
  ck_container_config* config = MakeConfig("true", NULL);
  ck_engine_prune_options prune = CK_ENGINE_PRUNE_OPTIONS_INIT;
  CHECK_OK(ck_engine_dry_run(engine, config, NULL, &steps, &err));
  CHECK(strchr(ck_string_data(steps), '\n') != NULL);
  ck_string_release(steps);
  ck_container_config_release(config);
  ck_container* container = MakeContainer(engine, "true", NULL);
  CHECK_OK(ck_engine_check_store(engine, NULL, &report, &err));
  CHECK(ck_store_report_size(report) == 0);
  CHECK(ck_store_report_kind_at(report, 0) == NULL);
  CHECK(ck_store_report_object_at(report, 0) == NULL);
  CHECK(ck_store_report_problem_at(report, 0) == NULL);
  CHECK(ck_store_report_damage_at(report, 0) == 0);
  CHECK(ck_store_report_repaired_at(report, 0) == 0);
  ck_store_report_release(report);
  prune.all_images = 1;
  CHECK_OK(ck_engine_prune(engine, &prune, &pruned, &err));
  CHECK(ck_string_list_size(ck_prune_report_containers(pruned)) == 1);
  CHECK_STR(ck_string_list_at(ck_prune_report_containers(pruned), 0),
            ck_container_id(container));
  CHECK(ck_string_list_size(ck_prune_report_untagged(pruned)) == 1);
  CHECK(ck_string_list_size(ck_prune_report_deleted(pruned)) >= 1);
  CHECK(ck_prune_report_reclaimed_bytes(pruned) < 1u << 30);
  ck_prune_report_release(pruned);
  ck_container_release(container);
  ck_engine_release(engine);
}

static void ScopesEndWhatIsInThem(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_scope* scope = NULL;
  ck_container* container = NULL;
  ck_container_info* info = NULL;
  ck_container_create_options create = CK_CONTAINER_CREATE_OPTIONS_INIT;
  const HostState before = ReadHostState();
  ck_engine* engine = EngineWithBusybox();
  ck_container_config* config = MakeConfig("sleep", "1000", NULL);
  CHECK_OK(ck_scope_create(engine, NULL, &scope, &err));
  CHECK(ck_scope_id(scope)[0] != 0);
  create.scope = scope;
  CHECK_OK(ck_container_create(engine, config, &create, &container, &err));
  CHECK_OK(ck_container_start(container, NULL, NULL, &err));
  CHECK_OK(ck_scope_end(scope, NULL, &err));
  CHECK_ERROR(ck_container_inspect(container, NULL, &info, &err), CK_NOT_FOUND,
              CK_REASON_CONTAINER_NOT_FOUND);
  ck_container_release(container);
  CHECK(ck_scope_retain(scope) == scope);
  ck_scope_release(scope);
  ck_scope_release(scope);
  /* A released scope is no scope. */
  CHECK_ERROR(ck_container_create(engine, config, &create, &container, &err),
              CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  ck_container_config_release(config);
  ck_engine_release(engine);
  CheckHostState(&before);
}

typedef struct Watch {
  ck_engine* engine;
  ck_event* kept;
  char actions[1024];
  ck_status status;
  int32_t code;
  int released;
} Watch;

static int32_t OnEvent(void* user_data, const ck_event* event) {
  Watch* watch = user_data;
  if (ck_event_time_ns(event) == 0 || ck_event_json(event)[0] != '{') return 1;
  snprintf(watch->actions + strlen(watch->actions), 100, "%s.%s ",
           ck_event_type(event), ck_event_action(event));
  if (strcmp(ck_event_action(event), "die") != 0) return 0;
  watch->kept = ck_event_retain(event);
  return 4;
}

static void ReleaseWatch(void* user_data) { ++((Watch*)user_data)->released; }

static void EventsAreSeen(void) {
  RequireContainers();
  ck_error* err = NULL;
  Watch watch;
  ck_filters* filters = NULL;
  ck_engine_watch_options options = CK_ENGINE_WATCH_OPTIONS_INIT;
  memset(&watch, 0, sizeof watch);
  ck_engine* engine = EngineWithBusybox();
  ck_container* container = MakeContainer(engine, "false", NULL);
  CHECK_OK(ck_container_start(container, NULL, NULL, &err));
  CHECK_OK(ck_container_wait(container, NULL, NULL, NULL, &err));
  CHECK_OK(ck_filters_create(&filters, &err));
  CHECK_OK(ck_filters_add(filters, "type", "container", &err));
  options.since_ns = 1;
  options.filters = filters;
  CHECK(ck_engine_watch(engine, &options, OnEvent, &watch, ReleaseWatch,
                        &err) == CK_CANCELLED);
  CHECK(ck_error_callback_code(err) == 4);
  ck_error_release(err);
  err = NULL;
  CHECK(watch.released == 1);
  CHECK(strstr(watch.actions, "container.create ") != NULL);
  CHECK(strstr(watch.actions, "container.start ") != NULL);
  CHECK_STR(ck_event_actor_id(watch.kept), ck_container_id(container));
  CHECK_STR(ck_string_map_get(ck_event_attributes(watch.kept), "exitCode"),
            "1");
  CHECK(ck_string_map_get(ck_event_attributes(watch.kept), "none") == NULL);
  CHECK(ck_string_map_name_at(ck_event_attributes(watch.kept), 0) != NULL);
  CHECK(ck_string_map_value_at(ck_event_attributes(watch.kept), 1000) == NULL);
  ck_event_release(watch.kept);
  CHECK_ERROR(
      ck_engine_watch(engine, &options, NULL, &watch, ReleaseWatch, &err),
      CK_INVALID_ARGUMENT, CK_REASON_INVALID_ARGUMENT);
  CHECK(watch.released == 2);
  ck_filters_release(filters);
  ck_container_release(container);
  ck_engine_release(engine);
}

static void OnLog(void* user_data, int32_t level, const char* message) {
  (void)level;
  (void)message;
  (void)user_data;
}

static void EngineLivesAsLongAsWhatItMade(void) {
  RequireContainers();
  ck_error* err = NULL;
  ck_container_info* info = NULL;
  ck_engine* engine = NULL;
  Collected data;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  const HostState before = ReadHostState();
  memset(&data, 0, sizeof data);
  options.root = ScratchDir();
  options.log = OnLog;
  options.log_user_data = &data;
  options.log_user_data_release = CountRelease;
  CHECK_OK(ck_engine_open(&options, &engine, &err));
  ImportBusybox(engine);
  ck_container* container = MakeContainer(engine, "true", NULL);
  ck_engine_release(engine);
  CHECK(data.released == 0);
  CHECK_OK(ck_container_inspect(container, NULL, &info, &err));
  ck_container_info_release(info);
  ck_container_release(container);
  CHECK(data.released == 1);
  CheckHostState(&before);
}

int main(void) {
  static const TestCase kCases[] = {
      {"EngineTellsWhatItIs", EngineTellsWhatItIs},
      {"ImagesComeAndGo", ImagesComeAndGo},
      {"BadArchivesAreRefused", BadArchivesAreRefused},
      {"PullSaysWhatFailed", PullSaysWhatFailed},
      {"TagsOfARegistryThatIsNotThere", TagsOfARegistryThatIsNotThere},
      {"DryRunCheckPrune", DryRunCheckPrune},
      {"ScopesEndWhatIsInThem", ScopesEndWhatIsInThem},
      {"EventsAreSeen", EventsAreSeen},
      {"EngineLivesAsLongAsWhatItMade", EngineLivesAsLongAsWhatItMade},
  };
  return RUN_CASES("CapiEngine", kCases);
}
