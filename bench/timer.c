// Times a command: for every line on stdin runs it once, with its output
// thrown away, and prints the nanoseconds from posix_spawn to the collected
// exit. A command that fails ends the measurement.
//
//   timer COMMAND [ARG...]     "{}" in an argument becomes a running number
#define _GNU_SOURCE
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static char* numbered(const char* text, unsigned number) {
  const char* braces = strstr(text, "{}");
  char* out = NULL;
  if (braces == NULL) return strdup(text);
  if (asprintf(&out, "%.*s%d-%u%s", (int)(braces - text), text, getpid(),
               number, braces + 2) < 0) {
    exit(1);
  }
  return out;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: timer COMMAND [ARG...]\n");
    return 2;
  }
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
  char line[64];
  for (unsigned n = 0; fgets(line, sizeof line, stdin) != NULL; ++n) {
    char** args = calloc((size_t)argc, sizeof *args);
    for (int i = 1; i < argc; ++i) args[i - 1] = numbered(argv[i], n);
    pid_t pid;
    int status;
    const uint64_t start = now_ns();
    if (posix_spawnp(&pid, args[0], &files, NULL, args, environ) != 0 ||
        waitpid(pid, &status, 0) != pid) {
      perror(args[0]);
      return 1;
    }
    const uint64_t end = now_ns();
    if (status != 0) {
      fprintf(stderr, "timer: %s: wait status %d\n", args[0], status);
      return 1;
    }
    printf("%llu\n", (unsigned long long)(end - start));
    fflush(stdout);
    for (int i = 0; args[i] != NULL; ++i) free(args[i]);
    free(args);
  }
  return 0;
}
