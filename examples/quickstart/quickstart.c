/* The shortest honest C program: an image from an archive, one container, its
 * output and exit code.
 *
 *   quickstart ROOTFS.tar COMMAND [ARG...] */
#include <containerkit/containerkit_c.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static int32_t Print(void* user_data, int32_t stream, const void* data,
                     size_t size, int64_t time_ns) {
  (void)user_data;
  (void)time_ns;
  fwrite(data, 1, size, stream == CK_STREAM_STDERR ? stderr : stdout);
  return 0;
}

static double NowMs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char** argv) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_string* image = NULL;
  ck_container_config* config = NULL;
  ck_container* container = NULL;
  ck_session* session = NULL;
  int32_t exit_code = 1;
  double start = 0;
  double started = 0;
  if (argc < 3) {
    fprintf(stderr, "usage: quickstart ROOTFS.tar COMMAND [ARG...]\n");
    return 2;
  }

  ck_engine_open_options open_options = CK_ENGINE_OPEN_OPTIONS_INIT;
  open_options.use_environment = 1;
  if (ck_engine_open(&open_options, &engine, &err) != CK_OK) goto done;

  const int archive = open(argv[1], O_RDONLY | O_CLOEXEC);
  ck_image_import(engine, archive, NULL, &image, &err);
  close(archive);
  if (err != NULL) goto done;

  ck_container_config_create_options box =
      CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT;
  box.image = ck_string_data(image);
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
  start = NowMs();
  if (ck_container_start(container, &start_options, &session, &err) != CK_OK) {
    goto done;
  }
  started = NowMs();
  if (ck_session_read(session, NULL, Print, NULL, NULL, &exit_code, NULL,
                      &err) != CK_OK) {
    goto done;
  }
  printf("C: started in %.2f ms, exit code %d\n", started - start,
         (int)exit_code);

done:
  if (err != NULL) {
    fprintf(stderr, "quickstart: %s\n", ck_error_message(err));
    exit_code = 1;
  }
  ck_session_release(session);
  ck_container_release(container);
  ck_container_config_release(config);
  ck_string_release(image);
  ck_engine_release(engine);
  ck_error_release(err);
  return (int)exit_code;
}
