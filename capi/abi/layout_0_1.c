/* Frozen: where release 0.1 has every field of its options. A
 * field that moved breaks programs that were built with 0.1. */
#include "containerkit/containerkit_c.h"

#define FIELD(type, field, offset, size)                  \
  _Static_assert(offsetof(type, field) == (offset) &&     \
                     sizeof(((type*)0)->field) == (size), \
                 #type "." #field " moved")
#define SIZE(type, size) _Static_assert(sizeof(type) >= (size), #type " shrank")

SIZE(ck_container_create_options, 24);
FIELD(ck_container_create_options, struct_size, 0, 8);
FIELD(ck_container_create_options, scope, 8, 8);
FIELD(ck_container_create_options, reserved, 16, 8);

SIZE(ck_container_find_options, 16);
FIELD(ck_container_find_options, struct_size, 0, 8);
FIELD(ck_container_find_options, reserved, 8, 8);

SIZE(ck_container_start_options, 40);
FIELD(ck_container_start_options, struct_size, 0, 8);
FIELD(ck_container_start_options, stdin_fd, 8, 4);
FIELD(ck_container_start_options, stdout_fd, 12, 4);
FIELD(ck_container_start_options, stderr_fd, 16, 4);
FIELD(ck_container_start_options, rows, 20, 2);
FIELD(ck_container_start_options, columns, 22, 2);
FIELD(ck_container_start_options, cancel, 24, 8);
FIELD(ck_container_start_options, attach, 32, 1);
FIELD(ck_container_start_options, attach_stdin, 33, 1);
FIELD(ck_container_start_options, reserved, 34, 6);

SIZE(ck_container_stop_options, 32);
FIELD(ck_container_stop_options, struct_size, 0, 8);
FIELD(ck_container_stop_options, timeout_ns, 8, 8);
FIELD(ck_container_stop_options, signal, 16, 4);
FIELD(ck_container_stop_options, reserved, 20, 4);
FIELD(ck_container_stop_options, cancel, 24, 8);

SIZE(ck_container_restart_options, 32);
FIELD(ck_container_restart_options, struct_size, 0, 8);
FIELD(ck_container_restart_options, timeout_ns, 8, 8);
FIELD(ck_container_restart_options, signal, 16, 4);
FIELD(ck_container_restart_options, reserved, 20, 4);
FIELD(ck_container_restart_options, cancel, 24, 8);

SIZE(ck_container_kill_options, 16);
FIELD(ck_container_kill_options, struct_size, 0, 8);
FIELD(ck_container_kill_options, signal, 8, 4);
FIELD(ck_container_kill_options, reserved, 12, 4);

SIZE(ck_container_pause_options, 16);
FIELD(ck_container_pause_options, struct_size, 0, 8);
FIELD(ck_container_pause_options, reserved, 8, 8);

SIZE(ck_container_wait_options, 32);
FIELD(ck_container_wait_options, struct_size, 0, 8);
FIELD(ck_container_wait_options, timeout_ns, 8, 8);
FIELD(ck_container_wait_options, condition, 16, 4);
FIELD(ck_container_wait_options, reserved, 20, 4);
FIELD(ck_container_wait_options, cancel, 24, 8);

SIZE(ck_container_remove_options, 16);
FIELD(ck_container_remove_options, struct_size, 0, 8);
FIELD(ck_container_remove_options, force, 8, 1);
FIELD(ck_container_remove_options, volumes, 9, 1);
FIELD(ck_container_remove_options, reserved, 10, 6);

SIZE(ck_container_rename_options, 16);
FIELD(ck_container_rename_options, struct_size, 0, 8);
FIELD(ck_container_rename_options, reserved, 8, 8);

SIZE(ck_container_inspect_options, 16);
FIELD(ck_container_inspect_options, struct_size, 0, 8);
FIELD(ck_container_inspect_options, size, 8, 1);
FIELD(ck_container_inspect_options, reserved, 9, 7);

SIZE(ck_container_attach_options, 16);
FIELD(ck_container_attach_options, struct_size, 0, 8);
FIELD(ck_container_attach_options, stdin_stream, 8, 1);
FIELD(ck_container_attach_options, stdout_stream, 9, 1);
FIELD(ck_container_attach_options, stderr_stream, 10, 1);
FIELD(ck_container_attach_options, reserved, 11, 5);

SIZE(ck_container_exec_options, 72);
FIELD(ck_container_exec_options, struct_size, 0, 8);
FIELD(ck_container_exec_options, env, 8, 8);
FIELD(ck_container_exec_options, env_count, 16, 8);
FIELD(ck_container_exec_options, user, 24, 8);
FIELD(ck_container_exec_options, working_dir, 32, 8);
FIELD(ck_container_exec_options, cancel, 40, 8);
FIELD(ck_container_exec_options, stdin_fd, 48, 4);
FIELD(ck_container_exec_options, stdout_fd, 52, 4);
FIELD(ck_container_exec_options, stderr_fd, 56, 4);
FIELD(ck_container_exec_options, rows, 60, 2);
FIELD(ck_container_exec_options, columns, 62, 2);
FIELD(ck_container_exec_options, tty, 64, 1);
FIELD(ck_container_exec_options, stdin_stream, 65, 1);
FIELD(ck_container_exec_options, privileged, 66, 1);
FIELD(ck_container_exec_options, detach, 67, 1);
FIELD(ck_container_exec_options, reserved, 68, 4);

SIZE(ck_container_logs_options, 48);
FIELD(ck_container_logs_options, struct_size, 0, 8);
FIELD(ck_container_logs_options, tail, 8, 8);
FIELD(ck_container_logs_options, since_ns, 16, 8);
FIELD(ck_container_logs_options, until_ns, 24, 8);
FIELD(ck_container_logs_options, cancel, 32, 8);
FIELD(ck_container_logs_options, stdout_stream, 40, 1);
FIELD(ck_container_logs_options, stderr_stream, 41, 1);
FIELD(ck_container_logs_options, follow, 42, 1);
FIELD(ck_container_logs_options, reserved, 43, 5);

SIZE(ck_container_read_stats_options, 16);
FIELD(ck_container_read_stats_options, struct_size, 0, 8);
FIELD(ck_container_read_stats_options, reserved, 8, 8);

SIZE(ck_container_top_options, 32);
FIELD(ck_container_top_options, struct_size, 0, 8);
FIELD(ck_container_top_options, columns, 8, 8);
FIELD(ck_container_top_options, columns_count, 16, 8);
FIELD(ck_container_top_options, reserved, 24, 8);

SIZE(ck_container_copy_out_options, 24);
FIELD(ck_container_copy_out_options, struct_size, 0, 8);
FIELD(ck_container_copy_out_options, reserved, 8, 8);
FIELD(ck_container_copy_out_options, cancel, 16, 8);

SIZE(ck_container_copy_in_options, 24);
FIELD(ck_container_copy_in_options, struct_size, 0, 8);
FIELD(ck_container_copy_in_options, no_overwrite_dir_non_dir, 8, 1);
FIELD(ck_container_copy_in_options, copy_uid_gid, 9, 1);
FIELD(ck_container_copy_in_options, reserved, 10, 6);
FIELD(ck_container_copy_in_options, cancel, 16, 8);

SIZE(ck_container_stat_path_options, 16);
FIELD(ck_container_stat_path_options, struct_size, 0, 8);
FIELD(ck_container_stat_path_options, reserved, 8, 8);

SIZE(ck_container_update_options, 32);
FIELD(ck_container_update_options, struct_size, 0, 8);
FIELD(ck_container_update_options, resources, 8, 8);
FIELD(ck_container_update_options, restart_policy, 16, 4);
FIELD(ck_container_update_options, restart_max_retries, 20, 4);
FIELD(ck_container_update_options, has_restart_policy, 24, 1);
FIELD(ck_container_update_options, reserved, 25, 7);

SIZE(ck_container_config_create_options, 120);
FIELD(ck_container_config_create_options, struct_size, 0, 8);
FIELD(ck_container_config_create_options, image, 8, 8);
FIELD(ck_container_config_create_options, name, 16, 8);
FIELD(ck_container_config_create_options, platform, 24, 8);
FIELD(ck_container_config_create_options, user, 32, 8);
FIELD(ck_container_config_create_options, working_dir, 40, 8);
FIELD(ck_container_config_create_options, stop_signal, 48, 8);
FIELD(ck_container_config_create_options, stop_timeout_ns, 56, 8);
FIELD(ck_container_config_create_options, hostname, 64, 8);
FIELD(ck_container_config_create_options, domainname, 72, 8);
FIELD(ck_container_config_create_options, cgroup_parent, 80, 8);
FIELD(ck_container_config_create_options, shm_size_bytes, 88, 8);
FIELD(ck_container_config_create_options, oom_score_adj, 96, 4);
FIELD(ck_container_config_create_options, console_rows, 100, 4);
FIELD(ck_container_config_create_options, console_columns, 104, 4);
FIELD(ck_container_config_create_options, has_oom_score_adj, 108, 1);
FIELD(ck_container_config_create_options, tty, 109, 1);
FIELD(ck_container_config_create_options, open_stdin, 110, 1);
FIELD(ck_container_config_create_options, stdin_once, 111, 1);
FIELD(ck_container_config_create_options, init, 112, 1);
FIELD(ck_container_config_create_options, readonly_root, 113, 1);
FIELD(ck_container_config_create_options, auto_remove, 114, 1);
FIELD(ck_container_config_create_options, no_new_privileges, 115, 1);
FIELD(ck_container_config_create_options, reserved, 116, 4);

SIZE(ck_container_config_add_bind_options, 40);
FIELD(ck_container_config_add_bind_options, struct_size, 0, 8);
FIELD(ck_container_config_add_bind_options, propagation, 8, 4);
FIELD(ck_container_config_add_bind_options, recursive, 12, 4);
FIELD(ck_container_config_add_bind_options, mount_options, 16, 8);
FIELD(ck_container_config_add_bind_options, mount_options_count, 24, 8);
FIELD(ck_container_config_add_bind_options, readonly, 32, 1);
FIELD(ck_container_config_add_bind_options, create_source, 33, 1);
FIELD(ck_container_config_add_bind_options, reserved, 34, 6);

SIZE(ck_container_config_add_tmpfs_options, 40);
FIELD(ck_container_config_add_tmpfs_options, struct_size, 0, 8);
FIELD(ck_container_config_add_tmpfs_options, size_bytes, 8, 8);
FIELD(ck_container_config_add_tmpfs_options, mount_options, 16, 8);
FIELD(ck_container_config_add_tmpfs_options, mount_options_count, 24, 8);
FIELD(ck_container_config_add_tmpfs_options, mode, 32, 4);
FIELD(ck_container_config_add_tmpfs_options, readonly, 36, 1);
FIELD(ck_container_config_add_tmpfs_options, reserved, 37, 3);

SIZE(ck_container_config_set_health_options, 56);
FIELD(ck_container_config_set_health_options, struct_size, 0, 8);
FIELD(ck_container_config_set_health_options, interval_ns, 8, 8);
FIELD(ck_container_config_set_health_options, timeout_ns, 16, 8);
FIELD(ck_container_config_set_health_options, start_period_ns, 24, 8);
FIELD(ck_container_config_set_health_options, start_interval_ns, 32, 8);
FIELD(ck_container_config_set_health_options, retries, 40, 8);
FIELD(ck_container_config_set_health_options, disabled, 48, 1);
FIELD(ck_container_config_set_health_options, reserved, 49, 7);

SIZE(ck_container_config_set_log_options, 24);
FIELD(ck_container_config_set_log_options, struct_size, 0, 8);
FIELD(ck_container_config_set_log_options, max_size_bytes, 8, 8);
FIELD(ck_container_config_set_log_options, max_files, 16, 4);
FIELD(ck_container_config_set_log_options, reserved, 20, 4);

SIZE(ck_container_list_query_options, 32);
FIELD(ck_container_list_query_options, struct_size, 0, 8);
FIELD(ck_container_list_query_options, filters, 8, 8);
FIELD(ck_container_list_query_options, limit, 16, 8);
FIELD(ck_container_list_query_options, all, 24, 1);
FIELD(ck_container_list_query_options, reserved, 25, 7);

SIZE(ck_engine_open_options, 96);
FIELD(ck_engine_open_options, struct_size, 0, 8);
FIELD(ck_engine_open_options, root, 8, 8);
FIELD(ck_engine_open_options, docker_config, 16, 8);
FIELD(ck_engine_open_options, certs_dir, 24, 8);
FIELD(ck_engine_open_options, insecure_registries, 32, 8);
FIELD(ck_engine_open_options, insecure_registries_count, 40, 8);
FIELD(ck_engine_open_options, registry_mirrors, 48, 8);
FIELD(ck_engine_open_options, registry_mirrors_count, 56, 8);
FIELD(ck_engine_open_options, log, 64, 8);
FIELD(ck_engine_open_options, log_user_data, 72, 8);
FIELD(ck_engine_open_options, log_user_data_release, 80, 8);
FIELD(ck_engine_open_options, use_environment, 88, 1);
FIELD(ck_engine_open_options, reserved, 89, 7);

SIZE(ck_engine_inspect_options, 16);
FIELD(ck_engine_inspect_options, struct_size, 0, 8);
FIELD(ck_engine_inspect_options, reserved, 8, 8);

SIZE(ck_engine_dry_run_options, 16);
FIELD(ck_engine_dry_run_options, struct_size, 0, 8);
FIELD(ck_engine_dry_run_options, reserved, 8, 8);

SIZE(ck_engine_check_store_options, 24);
FIELD(ck_engine_check_store_options, struct_size, 0, 8);
FIELD(ck_engine_check_store_options, repair, 8, 1);
FIELD(ck_engine_check_store_options, reserved, 9, 7);
FIELD(ck_engine_check_store_options, cancel, 16, 8);

SIZE(ck_engine_prune_options, 24);
FIELD(ck_engine_prune_options, struct_size, 0, 8);
FIELD(ck_engine_prune_options, all_images, 8, 1);
FIELD(ck_engine_prune_options, dry_run, 9, 1);
FIELD(ck_engine_prune_options, reserved, 10, 6);
FIELD(ck_engine_prune_options, cancel, 16, 8);

SIZE(ck_engine_watch_options, 48);
FIELD(ck_engine_watch_options, struct_size, 0, 8);
FIELD(ck_engine_watch_options, since_ns, 8, 8);
FIELD(ck_engine_watch_options, until_ns, 16, 8);
FIELD(ck_engine_watch_options, filters, 24, 8);
FIELD(ck_engine_watch_options, cancel, 32, 8);
FIELD(ck_engine_watch_options, reserved, 40, 8);

SIZE(ck_image_pull_options, 80);
FIELD(ck_image_pull_options, struct_size, 0, 8);
FIELD(ck_image_pull_options, platform, 8, 8);
FIELD(ck_image_pull_options, username, 16, 8);
FIELD(ck_image_pull_options, password, 24, 8);
FIELD(ck_image_pull_options, identity_token, 32, 8);
FIELD(ck_image_pull_options, progress, 40, 8);
FIELD(ck_image_pull_options, progress_user_data, 48, 8);
FIELD(ck_image_pull_options, progress_user_data_release, 56, 8);
FIELD(ck_image_pull_options, cancel, 64, 8);
FIELD(ck_image_pull_options, parallel_layers, 72, 4);
FIELD(ck_image_pull_options, reserved, 76, 4);

SIZE(ck_image_list_tags_options, 48);
FIELD(ck_image_list_tags_options, struct_size, 0, 8);
FIELD(ck_image_list_tags_options, username, 8, 8);
FIELD(ck_image_list_tags_options, password, 16, 8);
FIELD(ck_image_list_tags_options, identity_token, 24, 8);
FIELD(ck_image_list_tags_options, cancel, 32, 8);
FIELD(ck_image_list_tags_options, reserved, 40, 8);

SIZE(ck_image_load_options, 32);
FIELD(ck_image_load_options, struct_size, 0, 8);
FIELD(ck_image_load_options, cancel, 8, 8);
FIELD(ck_image_load_options, platform, 16, 8);
FIELD(ck_image_load_options, reserved, 24, 8);

SIZE(ck_image_import_options, 64);
FIELD(ck_image_import_options, struct_size, 0, 8);
FIELD(ck_image_import_options, reference, 8, 8);
FIELD(ck_image_import_options, message, 16, 8);
FIELD(ck_image_import_options, changes, 24, 8);
FIELD(ck_image_import_options, changes_count, 32, 8);
FIELD(ck_image_import_options, platform, 40, 8);
FIELD(ck_image_import_options, cancel, 48, 8);
FIELD(ck_image_import_options, reserved, 56, 8);

SIZE(ck_image_list_query_options, 24);
FIELD(ck_image_list_query_options, struct_size, 0, 8);
FIELD(ck_image_list_query_options, filters, 8, 8);
FIELD(ck_image_list_query_options, all, 16, 1);
FIELD(ck_image_list_query_options, reserved, 17, 7);

SIZE(ck_image_inspect_options, 16);
FIELD(ck_image_inspect_options, struct_size, 0, 8);
FIELD(ck_image_inspect_options, reserved, 8, 8);

SIZE(ck_image_read_history_options, 16);
FIELD(ck_image_read_history_options, struct_size, 0, 8);
FIELD(ck_image_read_history_options, reserved, 8, 8);

SIZE(ck_image_tag_options, 16);
FIELD(ck_image_tag_options, struct_size, 0, 8);
FIELD(ck_image_tag_options, reserved, 8, 8);

SIZE(ck_image_remove_options, 16);
FIELD(ck_image_remove_options, struct_size, 0, 8);
FIELD(ck_image_remove_options, force, 8, 1);
FIELD(ck_image_remove_options, reserved, 9, 7);

SIZE(ck_image_prune_options, 16);
FIELD(ck_image_prune_options, struct_size, 0, 8);
FIELD(ck_image_prune_options, all, 8, 1);
FIELD(ck_image_prune_options, dry_run, 9, 1);
FIELD(ck_image_prune_options, reserved, 10, 6);

SIZE(ck_resources_create_options, 120);
FIELD(ck_resources_create_options, struct_size, 0, 8);
FIELD(ck_resources_create_options, memory_bytes, 8, 8);
FIELD(ck_resources_create_options, memory_reservation_bytes, 16, 8);
FIELD(ck_resources_create_options, memory_swap_bytes, 24, 8);
FIELD(ck_resources_create_options, memory_swappiness, 32, 8);
FIELD(ck_resources_create_options, nano_cpus, 40, 8);
FIELD(ck_resources_create_options, cpu_quota_us, 48, 8);
FIELD(ck_resources_create_options, cpu_period_us, 56, 8);
FIELD(ck_resources_create_options, cpu_shares, 64, 8);
FIELD(ck_resources_create_options, cpu_realtime_runtime_us, 72, 8);
FIELD(ck_resources_create_options, cpu_realtime_period_us, 80, 8);
FIELD(ck_resources_create_options, cpuset_cpus, 88, 8);
FIELD(ck_resources_create_options, cpuset_mems, 96, 8);
FIELD(ck_resources_create_options, pids_limit, 104, 8);
FIELD(ck_resources_create_options, blkio_weight, 112, 2);
FIELD(ck_resources_create_options, has_memory_swappiness, 114, 1);
FIELD(ck_resources_create_options, oom_kill_disable, 115, 1);
FIELD(ck_resources_create_options, reserved, 116, 4);

SIZE(ck_scope_create_options, 16);
FIELD(ck_scope_create_options, struct_size, 0, 8);
FIELD(ck_scope_create_options, reserved, 8, 8);

SIZE(ck_scope_end_options, 16);
FIELD(ck_scope_end_options, struct_size, 0, 8);
FIELD(ck_scope_end_options, reserved, 8, 8);

SIZE(ck_session_write_options, 24);
FIELD(ck_session_write_options, struct_size, 0, 8);
FIELD(ck_session_write_options, reserved, 8, 8);
FIELD(ck_session_write_options, cancel, 16, 8);

SIZE(ck_session_read_options, 24);
FIELD(ck_session_read_options, struct_size, 0, 8);
FIELD(ck_session_read_options, cancel, 8, 8);
FIELD(ck_session_read_options, reserved, 16, 8);
