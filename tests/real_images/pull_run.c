/* A C program that pulls an image and runs a command in it; exits as the
 * command does.
 *
 *   pull_run_c IMAGE COMMAND [ARG...] */
#include <containerkit/containerkit_c.h>
#include <stdio.h>

static int32_t Print(void* user_data, int32_t stream, const void* data,
                     size_t size, int64_t time_ns) {
  (void)user_data;
  (void)time_ns;
  fwrite(data, 1, size, stream == CK_STREAM_STDERR ? stderr : stdout);
  return 0;
}

int main(int argc, char** argv) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_image_info* image = NULL;
  ck_container_config* config = NULL;
  ck_container* container = NULL;
  ck_session* session = NULL;
  int32_t exit_code = 125;
  if (argc < 3) return 2;

  ck_engine_open_options open_options = CK_ENGINE_OPEN_OPTIONS_INIT;
  open_options.use_environment = 1;
  if (ck_engine_open(&open_options, &engine, &err) != CK_OK) goto done;
  if (ck_image_pull(engine, argv[1], NULL, &image, &err) != CK_OK) goto done;

  ck_container_config_create_options box =
      CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT;
  box.image = argv[1];
  box.auto_remove = 1;
  if (ck_container_config_create(&box, &config, &err) != CK_OK) goto done;
  if (ck_container_config_set_command(config, (const char* const*)argv + 2,
                                      (size_t)argc - 2, &err) != CK_OK) {
    goto done;
  }
  if (ck_container_create(engine, config, NULL, &container, &err) != CK_OK) {
    goto done;
  }
  ck_container_start_options start_options = CK_CONTAINER_START_OPTIONS_INIT;
  start_options.attach = 1;
  if (ck_container_start(container, &start_options, &session, &err) != CK_OK) {
    goto done;
  }
  if (ck_session_read(session, NULL, Print, NULL, NULL, &exit_code, NULL,
                      &err) != CK_OK) {
    exit_code = 125;
  }

done:
  if (err != NULL) fprintf(stderr, "pull_run_c: %s\n", ck_error_message(err));
  ck_session_release(session);
  ck_container_release(container);
  ck_container_config_release(config);
  ck_image_info_release(image);
  ck_engine_release(engine);
  ck_error_release(err);
  return (int)exit_code;
}
