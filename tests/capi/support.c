#include "tests/capi/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static jmp_buf g_case;
static char g_reason[512];
static char g_scratch[64];

enum { kPassed = 1, kFailed = 2, kSkipped = 3 };

void FailCase(const char* file, int line, const char* what) {
  snprintf(g_reason, sizeof g_reason, "%s:%d: %s", file, line, what);
  longjmp(g_case, kFailed);
}

void FailCaseStr(const char* file, int line, const char* what, const char* got,
                 const char* wanted) {
  snprintf(g_reason, sizeof g_reason, "%s:%d: %s is \"%.120s\", not \"%.120s\"",
           file, line, what, got == NULL ? "(NULL)" : got, wanted);
  longjmp(g_case, kFailed);
}

void FailCaseError(const char* file, int line, const char* what,
                   ck_error* err) {
  snprintf(g_reason, sizeof g_reason, "%s:%d: %.100s: %s [%s, %s, %s]", file,
           line, what, ck_error_message(err), ck_error_reason_name(err),
           ck_error_operation(err), ck_error_path(err));
  longjmp(g_case, kFailed);
}

void CheckError(const char* file, int line, const char* what, ck_status status,
                ck_error** err, ck_status code, int32_t reason) {
  if (status != code || ck_error_code(*err) != code ||
      ck_error_reason(*err) != reason) {
    snprintf(g_reason, sizeof g_reason,
             "%s:%d: %.100s: status %d, reason %d %s: %s", file, line, what,
             (int)status, (int)ck_error_reason(*err),
             ck_error_reason_name(*err), ck_error_message(*err));
    longjmp(g_case, kFailed);
  }
  ck_error_release(*err);
  *err = NULL;
}

void SkipCase(const char* capability) {
  const char* must = getenv("CK_MUST_HAVE");
  const size_t length = strlen(capability);
  const char* at = must;
  while (at != NULL && (at = strstr(at, capability)) != NULL) {
    if ((at == must || at[-1] == ',') &&
        (at[length] == 0 || at[length] == ',')) {
      snprintf(g_reason, sizeof g_reason, "this machine must have %s",
               capability);
      longjmp(g_case, kFailed);
    }
    at += length;
  }
  snprintf(g_reason, sizeof g_reason, "no %s here", capability);
  longjmp(g_case, kSkipped);
}

static int HasOverlay(void) {
  char line[256];
  int found = 0;
  FILE* in = fopen("/proc/filesystems", "re");
  while (in != NULL && fgets(line, sizeof line, in) != NULL) {
    if (strstr(line, "\toverlay\n") != NULL) found = 1;
  }
  if (in != NULL) fclose(in);
  return found;
}

void RequireContainers(void) {
  if (geteuid() != 0) SkipCase("root");
  if (!HasOverlay()) SkipCase("overlay");
  if (access("/bin/busybox", R_OK) != 0) SkipCase("busybox");
}

static int RemoveEntry(const char* path, const struct stat* st, int type,
                       struct FTW* ftw) {
  (void)st;
  (void)type;
  (void)ftw;
  remove(path);
  return 0;
}

static void RemoveScratch(void) {
  if (g_scratch[0] == 0) return;
  nftw(g_scratch, RemoveEntry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
  g_scratch[0] = 0;
}

/* gtest's report, which tools/run_tests.py adds up. */
static void WriteXml(const char* suite, const TestCase* cases, size_t count,
                     const int* verdicts, char (*reasons)[512]) {
  const char* path = getenv("XML_OUTPUT_FILE");
  FILE* out = path == NULL ? NULL : fopen(path, "we");
  size_t i;
  if (out == NULL) return;
  fprintf(out, "<testsuites><testsuite name=\"%s\">\n", suite);
  for (i = 0; i < count; ++i) {
    char* p;
    for (p = reasons[i]; *p != 0; ++p) {
      if (strchr("<>&\"", *p) != NULL || (unsigned char)*p < ' ') *p = '\'';
    }
    fprintf(out,
            "<testcase classname=\"%s\" name=\"%s\" status=\"run\" "
            "result=\"%s\">",
            suite, cases[i].name,
            verdicts[i] == kSkipped ? "skipped" : "completed");
    if (verdicts[i] == kSkipped) {
      fprintf(out, "<skipped message=\"%s\"/>", reasons[i]);
    } else if (verdicts[i] == kFailed) {
      fprintf(out, "<failure message=\"%s\"/>", reasons[i]);
    }
    fprintf(out, "</testcase>\n");
  }
  fprintf(out, "</testsuite></testsuites>\n");
  fclose(out);
}

int RunCases(const char* suite, const TestCase* cases, size_t count) {
  const char* only = getenv("TESTBRIDGE_TEST_ONLY");
  int* verdicts = calloc(count, sizeof *verdicts);
  char(*reasons)[512] = calloc(count, sizeof *reasons);
  volatile int failed = 0;
  volatile size_t i;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (i = 0; i < count; ++i) {
    struct timespec begin;
    struct timespec end;
    if (only != NULL && strcmp(only, cases[i].name) != 0) continue;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    g_reason[0] = 0;
    verdicts[i] = setjmp(g_case);
    if (verdicts[i] == 0) {
      cases[i].run();
      verdicts[i] = kPassed;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    RemoveScratch();
    memcpy(reasons[i], g_reason, sizeof g_reason);
    printf("%s %s.%s (%ld ms) %s\n",
           verdicts[i] == kPassed   ? "ok  "
           : verdicts[i] == kFailed ? "FAIL"
                                    : "skip",
           suite, cases[i].name,
           (end.tv_sec - begin.tv_sec) * 1000 +
               (end.tv_nsec - begin.tv_nsec) / 1000000,
           g_reason);
    if (verdicts[i] == kFailed) failed = 1;
  }
  WriteXml(suite, cases, count, verdicts, reasons);
  free(verdicts);
  free(reasons);
  return failed;
}

void InChild(void (*run)(void), int seconds) {
  int report[2];
  int status = 0;
  ScratchDir();
  CHECK(pipe2(report, O_CLOEXEC) == 0);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    /* High, so that the case may close what it likes. */
    const int out = fcntl(report[1], F_DUPFD_CLOEXEC, 50);
    close(report[0]);
    close(report[1]);
    g_reason[0] = 0;
    int verdict = setjmp(g_case);
    if (verdict == 0) {
      run();
      verdict = kPassed;
    }
    if (write(out, g_reason, strlen(g_reason) + 1) < 0) verdict = kFailed;
    _exit(verdict);
  }
  close(report[1]);
  struct pollfd event = {.fd = report[0], .events = POLLIN, .revents = 0};
  const int answered = poll(&event, 1, seconds * 1000);
  char reason[sizeof g_reason] = "";
  if (answered == 1) {
    const ssize_t n = read(report[0], reason, sizeof reason - 1);
    if (n <= 0) snprintf(reason, sizeof reason, "the process ended early");
  } else {
    snprintf(reason, sizeof reason, "nothing heard for %d s", seconds);
    kill(child, SIGKILL);
  }
  close(report[0]);
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
    const size_t length = strlen(reason);
    snprintf(reason + length, sizeof reason - length, " (wait status %d)",
             status);
    memcpy(g_reason, reason, sizeof reason);
    longjmp(g_case, kFailed);
  }
  if (WEXITSTATUS(status) == kPassed) return;
  memcpy(g_reason, reason, sizeof reason);
  longjmp(g_case, WEXITSTATUS(status) == kSkipped ? kSkipped : kFailed);
}

const char* ScratchDir(void) {
  const char* base = getenv("TEST_TMPDIR");
  if (g_scratch[0] != 0) return g_scratch;
  if (base == NULL || strlen(base) > 40) base = "/tmp";
  snprintf(g_scratch, sizeof g_scratch, "%s/ckc-XXXXXX", base);
  CHECK(mkdtemp(g_scratch) != NULL);
  return g_scratch;
}

ck_engine* OpenEngine(const char* root) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  options.root = root;
  CHECK_OK(ck_engine_open(&options, &engine, &err));
  CHECK(engine != NULL && err == NULL);
  return engine;
}

/* One ustar member. */
static void AddMember(int fd, const char* name, char type, int mode,
                      const char* link, const void* data, size_t size) {
  static const char zeroes[512];
  char header[512] = {0};
  unsigned sum = 0;
  size_t i;
  snprintf(header, 100, "%s", name);
  snprintf(header + 100, 8, "%07o", (unsigned)mode);
  snprintf(header + 108, 8, "%07o", 0u);
  snprintf(header + 116, 8, "%07o", 0u);
  snprintf(header + 124, 12, "%011zo", size);
  snprintf(header + 136, 12, "%011o", 1700000000u);
  header[156] = type;
  if (link != NULL) snprintf(header + 157, 100, "%s", link);
  memcpy(header + 257, "ustar\00000", 8);
  memset(header + 148, ' ', 8);
  for (i = 0; i < sizeof header; ++i) sum += (unsigned char)header[i];
  snprintf(header + 148, 8, "%06o", sum);
  CHECK(write(fd, header, sizeof header) == (ssize_t)sizeof header);
  while (size > 0) {
    const ssize_t n = write(fd, data, size);
    CHECK(n > 0);
    data = (const char*)data + n;
    size -= (size_t)n;
  }
  const off_t end = lseek(fd, 0, SEEK_CUR);
  if (end % 512 != 0) {
    CHECK(write(fd, zeroes, (size_t)(512 - end % 512)) > 0);
  }
}

int BusyboxTar(void) {
  static const char* const kApplets[] = {
      "sh",   "echo", "cat",   "ls",  "sleep", "true", "false", "id",
      "kill", "env",  "mkdir", "pwd", "stty",  "ps",   "touch", "seq",
      "head", "wc",   "yes",   "dd",  "test",  "rm",   "tr",    "hostname"};
  static const char zeroes[1024];
  static const char kPasswd[] = "root:x:0:0:root:/root:/bin/sh\n";
  static const char kGroup[] = "root:x:0:\n";
  char name[64];
  size_t i;
  struct stat st;
  const int busybox = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
  CHECK(busybox >= 0 && fstat(busybox, &st) == 0);
  void* program =
      mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, busybox, 0);
  CHECK(program != MAP_FAILED);
  close(busybox);
  const int fd = memfd_create("busybox.tar", MFD_CLOEXEC);
  CHECK(fd >= 0);
  AddMember(fd, "bin/", '5', 0755, NULL, NULL, 0);
  AddMember(fd, "etc/", '5', 0755, NULL, NULL, 0);
  AddMember(fd, "tmp/", '5', 01777, NULL, NULL, 0);
  AddMember(fd, "etc/passwd", '0', 0644, NULL, kPasswd, sizeof kPasswd - 1);
  AddMember(fd, "etc/group", '0', 0644, NULL, kGroup, sizeof kGroup - 1);
  AddMember(fd, "bin/busybox", '0', 0755, NULL, program, (size_t)st.st_size);
  for (i = 0; i < sizeof kApplets / sizeof kApplets[0]; ++i) {
    snprintf(name, sizeof name, "bin/%s", kApplets[i]);
    AddMember(fd, name, '2', 0777, "busybox", NULL, 0);
  }
  CHECK(write(fd, zeroes, sizeof zeroes) == (ssize_t)sizeof zeroes);
  munmap(program, (size_t)st.st_size);
  CHECK(lseek(fd, 0, SEEK_SET) == 0);
  return fd;
}

void ImportBusybox(ck_engine* engine) {
  ck_error* err = NULL;
  ck_string* id = NULL;
  ck_image_import_options options = CK_IMAGE_IMPORT_OPTIONS_INIT;
  const char* const changes[] = {"CMD [\"sh\"]", "ENV PATH=/bin"};
  const int tar = BusyboxTar();
  options.reference = "busybox";
  options.changes = changes;
  options.changes_count = 2;
  CHECK_OK(ck_image_import(engine, tar, &options, &id, &err));
  close(tar);
  CHECK(strncmp(ck_string_data(id), "sha256:", 7) == 0);
  CHECK(ck_string_size(id) == 71);
  ck_string_release(id);
}

ck_engine* EngineWithBusybox(void) {
  ck_engine* engine = OpenEngine(ScratchDir());
  ImportBusybox(engine);
  return engine;
}

static ck_container_config* ConfigOf(const char* first, va_list rest) {
  const char* arguments[32];
  size_t count = 0;
  ck_error* err = NULL;
  ck_container_config* config = NULL;
  ck_container_config_create_options options =
      CK_CONTAINER_CONFIG_CREATE_OPTIONS_INIT;
  options.image = "busybox";
  while (first != NULL && count < 32) {
    arguments[count++] = first;
    first = va_arg(rest, const char*);
  }
  CHECK_OK(ck_container_config_create(&options, &config, &err));
  CHECK_OK(ck_container_config_set_command(config, arguments, count, &err));
  return config;
}

ck_container_config* MakeConfig(const char* first, ...) {
  va_list rest;
  va_start(rest, first);
  ck_container_config* config = ConfigOf(first, rest);
  va_end(rest);
  return config;
}

ck_container* MakeContainer(ck_engine* engine, const char* first, ...) {
  ck_error* err = NULL;
  ck_container* container = NULL;
  va_list rest;
  va_start(rest, first);
  ck_container_config* config = ConfigOf(first, rest);
  va_end(rest);
  CHECK_OK(ck_container_create(engine, config, NULL, &container, &err));
  ck_container_config_release(config);
  return container;
}

int32_t Collect(void* user_data, int32_t stream, const void* data, size_t size,
                int64_t time_ns) {
  Collected* out = user_data;
  const size_t room = sizeof out->text - 1 - out->size;
  (void)stream;
  (void)time_ns;
  ++out->chunks;
  if (size > room) size = room;
  memcpy(out->text + out->size, data, size);
  out->size += size;
  out->text[out->size] = 0;
  return out->answer;
}

void CountRelease(void* user_data) { ++((Collected*)user_data)->released; }

int32_t ReadAll(ck_session* session, Collected* out) {
  ck_error* err = NULL;
  int32_t code = -1;
  CHECK_OK(ck_session_read(session, NULL, Collect, out, CountRelease, &code,
                           NULL, &err));
  return code;
}

int32_t Exec(ck_container* container, Collected* out, const char* first, ...) {
  const char* arguments[32];
  size_t count = 0;
  ck_error* err = NULL;
  ck_session* session = NULL;
  va_list rest;
  va_start(rest, first);
  while (first != NULL && count < 32) {
    arguments[count++] = first;
    first = va_arg(rest, const char*);
  }
  va_end(rest);
  memset(out, 0, sizeof *out);
  CHECK_OK(
      ck_container_exec(container, arguments, count, NULL, &session, &err));
  const int32_t code = ReadAll(session, out);
  ck_session_release(session);
  return code;
}

static int CountEntries(const char* path) {
  int count = 0;
  DIR* dir = opendir(path);
  while (dir != NULL && readdir(dir) != NULL) ++count;
  if (dir != NULL) closedir(dir);
  return count;
}

static int CountLines(const char* path) {
  char buffer[4096];
  int lines = 0;
  ssize_t n;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  while (fd >= 0 && (n = read(fd, buffer, sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < n; ++i) lines += buffer[i] == '\n';
  }
  if (fd >= 0) close(fd);
  return lines;
}

/* Children of all threads; the kernel lists them with a space behind each. */
static int CountChildren(void) {
  char path[320];
  char buffer[4096];
  int count = 0;
  struct dirent* entry;
  DIR* dir = opendir("/proc/self/task");
  while (dir != NULL && (entry = readdir(dir)) != NULL) {
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/children", entry->d_name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, buffer, sizeof buffer);
    for (ssize_t i = 0; i < n; ++i) count += buffer[i] == ' ';
    if (fd >= 0) close(fd);
  }
  if (dir != NULL) closedir(dir);
  return count;
}

HostState ReadHostState(void) {
  const HostState state = {.descriptors = CountEntries("/proc/self/fd"),
                           .threads = CountEntries("/proc/self/task"),
                           .mounts = CountLines("/proc/self/mountinfo"),
                           .children = CountChildren()};
  return state;
}

// Less is no leak: what an earlier case was still putting away is gone now.
static int Grew(const HostState* now, const HostState* before) {
  return now->descriptors > before->descriptors ||
         now->threads > before->threads || now->mounts > before->mounts ||
         now->children > before->children;
}

void CheckHostState(const HostState* before) {
  HostState now = ReadHostState();
  const struct timespec pause = {0, 10 * 1000 * 1000};
  for (int i = 0; i < 300 && Grew(&now, before); ++i) {
    nanosleep(&pause, NULL);
    now = ReadHostState();
  }
  if (!Grew(&now, before)) return;
  char what[200];
  snprintf(what, sizeof what,
           "descriptors %d -> %d, threads %d -> %d, mounts %d -> %d, "
           "children %d -> %d",
           before->descriptors, now.descriptors, before->threads, now.threads,
           before->mounts, now.mounts, before->children, now.children);
  FailCase(__FILE__, __LINE__, what);
}
