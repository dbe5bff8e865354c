/* What looks around in a container for the attack tests. One static program,
 * so that a root file system may consist of it alone.
 *
 *   probe true                        ends
 *   probe sleep                       waits for a signal
 *   probe box WORD...                 says "ok" or what is wrong:
 *     m:PATH  hidden: absent, /dev/null, or an empty read-only directory;
 *             also below /evil where PATH is below /proc or /sys
 *     r:PATH  read-only where it exists
 *     v:PATH=TEXT  a file with this content
 *     t       the standard streams are a terminal of this container's devpts,
 *             which is the controlling one
 *     f       no descriptor but 0, 1, 2
 *     u       neither mounts nor other namespaces can be made or entered
 *     h       no terminal at all: not standard streams, not controlling
 *     c       /dev/console is the terminal of the standard streams
 *   probe status FIELD...             those lines of /proc/self/status
 *   probe grab SECONDS OWN...         opens all it can of every other process:
 *             executable, mapped files, root, directory, descriptors; says
 *             what it reached that is not in its own tree; tries to write to
 *             executables, and to seal-break those that are in memory; ends
 *             early when it has seen enough
 *   probe peek SECONDS OWN...         the same, and no executable in memory may
 *             even be reached
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static int wrong;

__attribute__((format(printf, 1, 2))) static void Wrong(const char* format,
                                                        ...) {
  va_list list;
  va_start(list, format);
  printf("wrong: ");
  vprintf(format, list);
  printf("\n");
  va_end(list);
  ++wrong;
}

/* All by descriptor: names may be exchanged between two looks. */
static int IsReadOnly(int fd) {
  struct statvfs fs;
  return fstatvfs(fd, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

static int IsEmpty(int fd) {
  DIR* directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY));
  const struct dirent* entry;
  int count = 0;
  if (directory == NULL) return 0;
  while ((entry = readdir(directory)) != NULL) {
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
      ++count;
    }
  }
  closedir(directory);
  return count == 0;
}

static int IsHidden(int fd, const struct stat* st) {
  if (S_ISCHR(st->st_mode)) return st->st_rdev == makedev(1, 3);
  return S_ISDIR(st->st_mode) && IsEmpty(fd) && IsReadOnly(fd);
}

static void CheckHidden(const char* path) {
  const int fd = open(path, O_PATH | O_CLOEXEC);
  struct stat st;
  if (fd < 0) return;
  if (fstat(fd, &st) != 0 || !IsHidden(fd, &st)) {
    Wrong("%s is not hidden (mode %o, device %x)", path, (unsigned)st.st_mode,
          (unsigned)st.st_rdev);
  }
  close(fd);
}

static void CheckReadOnly(const char* path) {
  const int fd = open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return;
  if (!IsReadOnly(fd)) Wrong("%s is writable", path);
  close(fd);
}

/* The kernel's file systems may have been moved under the attacker's name. */
static void Moved(char* to, size_t size, const char* path) {
  const char* rest = strchr(path + 1, '/');
  struct statfs fs;
  *to = '\0';
  if (rest == NULL || statfs("/evil", &fs) != 0) return;
  if (fs.f_type != PROC_SUPER_MAGIC && fs.f_type != SYSFS_MAGIC) return;
  snprintf(to, size, "/evil%s", rest);
}

static void CheckValue(char* word) {
  char text[256] = "";
  char* value = strchr(word, '=');
  int fd;
  ssize_t n;
  *value++ = '\0';
  fd = open(word, O_RDONLY | O_CLOEXEC);
  n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (n < 0) {
    Wrong("%s cannot be read", word);
    return;
  }
  text[n] = '\0';
  if (n > 0 && text[n - 1] == '\n') text[n - 1] = '\0';
  if (strcmp(text, value) != 0) Wrong("%s is \"%s\"", word, text);
}

static void CheckTerminal(void) {
  int fd;
  for (fd = 0; fd < 3; ++fd) {
    struct statfs fs;
    if (!isatty(fd)) Wrong("%d is no terminal", fd);
    if (fstatfs(fd, &fs) != 0 || fs.f_type != DEVPTS_SUPER_MAGIC) {
      Wrong("%d is not of a devpts", fd);
    }
  }
  if (tcgetsid(0) != getpid()) Wrong("not the leader of its session");
}

static void CheckDescriptors(void) {
  int fd;
  for (fd = 3; fd < 4096; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) Wrong("descriptor %d", fd);
  }
}

static void CheckNoTerminal(void) {
  int fd;
  for (fd = 0; fd < 3; ++fd) {
    if (isatty(fd)) Wrong("%d is a terminal", fd);
  }
  fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  if (fd >= 0) Wrong("there is a controlling terminal");
  if (fd >= 0) close(fd);
}

static void CheckConsole(void) {
  struct stat console, terminal;
  const int fd = open("/dev/console", O_PATH | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &console) != 0 || fstat(0, &terminal) != 0) {
    Wrong("no console: errno %d", errno);
    return;
  }
  if (console.st_dev != terminal.st_dev || console.st_ino != terminal.st_ino) {
    Wrong("the console is another file (mode %o, device %x)",
          (unsigned)console.st_mode, (unsigned)console.st_rdev);
  }
  close(fd);
}

static void Expect(const char* call, long result, int error) {
  if (result != -1 || errno != error) {
    Wrong("%s: %ld, errno %d", call, result, errno);
  }
}

/* clone(2) that must not succeed; a child that comes to be ends at once. */
static long TryClone(unsigned long flags) {
  const long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return pid;
}

static void CheckCalls(void) {
  static const int kTypes[] = {CLONE_NEWUSER,  CLONE_NEWNS,  CLONE_NEWPID,
                               CLONE_NEWNET,   CLONE_NEWUTS, CLONE_NEWIPC,
                               CLONE_NEWCGROUP};
  char arguments[88] = {0};
  const int self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  size_t i;
  for (i = 0; i < sizeof kTypes / sizeof *kTypes; ++i) {
    Expect("unshare", syscall(SYS_unshare, kTypes[i]), EPERM);
    Expect("clone", TryClone((unsigned long)kTypes[i]), EPERM);
  }
  Expect("clone3", syscall(SYS_clone3, arguments, sizeof arguments), ENOSYS);
  Expect("setns", syscall(SYS_setns, self, 0), EPERM);
  Expect("mount", syscall(SYS_mount, "none", "/", "cgroup", 0, "memory"),
         EPERM);
  Expect("umount2", syscall(SYS_umount2, "/proc/kcore", 0), EPERM);
  Expect("fsopen", syscall(SYS_fsopen, "proc", 0), EPERM);
  Expect("open_tree", syscall(SYS_open_tree, -100, "/", 1), EPERM);
  close(self);
}

static int Box(char** words) {
  for (; *words != NULL; ++words) {
    char* path = *words + 2;
    char moved[512];
    Moved(moved, sizeof moved, path);
    switch (**words) {
      case 'm':
        CheckHidden(path);
        if (*moved != '\0') CheckHidden(moved);
        break;
      case 'r':
        CheckReadOnly(path);
        if (*moved != '\0') CheckReadOnly(moved);
        break;
      case 'v':
        CheckValue(path);
        break;
      case 't':
        CheckTerminal();
        break;
      case 'f':
        CheckDescriptors();
        break;
      case 'u':
        CheckCalls();
        break;
      case 'h':
        CheckNoTerminal();
        break;
      case 'c':
        CheckConsole();
        break;
    }
  }
  if (!wrong) printf("ok\n");
  return wrong ? 3 : 0;
}

static int Status(char** fields) {
  char line[4096];
  FILE* file = fopen("/proc/self/status", "re");
  if (file == NULL) return 1;
  while (fgets(line, sizeof line, file) != NULL) {
    char** field;
    for (field = fields; *field != NULL; ++field) {
      const size_t size = strlen(*field);
      if (strncmp(line, *field, size) == 0 && line[size] == ':') {
        fputs(line, stdout);
      }
    }
  }
  fclose(file);
  return 0;
}

/* --- grab ---------------------------------------------------------------- */

/* Its file systems; of files that are bound into it only themselves, since the
 * rest of their file system is the host's. */
static struct stat own_places[16];
static int own_count;
static int opened, writable;
static int helper_is_hidden;
/* More would only fill the pipe. */
enum { kEnough = 5 };

static int IsOwn(const struct stat* st) {
  int i;
  for (i = 0; i < own_count; ++i) {
    if (st->st_dev != own_places[i].st_dev) continue;
    if (S_ISDIR(own_places[i].st_mode) || st->st_ino == own_places[i].st_ino)
      return 1;
  }
  return 0;
}

/* Kernels before 6.3 cannot seal the mode of a file in memory. */
static int ModesAreSealed(void) {
  const int fd = memfd_create("probe", MFD_CLOEXEC | MFD_EXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/* The helper's program. While it runs the kernel refuses to write to it; the
 * seals must refuse it also once nobody runs it. */
static void JudgeHelper(const char* name, const char* path) {
  const int fd = open(name, O_RDONLY | O_CLOEXEC);
  const int seals = fd < 0 ? 0 : fcntl(fd, F_GET_SEALS);
  const int needed = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  if (helper_is_hidden) Wrong("reached %s", path);
  if (fd >= 0 && (seals & needed) != needed) {
    Wrong("%s can be overwritten: seals %x", path, (unsigned)seals);
  }
  if (ModesAreSealed() && chmod(name, 0) == 0) {
    Wrong("nobody can execute %s any more", path);
  }
  if (fd >= 0) close(fd);
}

/* A descriptor of something of another process: is it the container's? */
static void Judge(int fd, const char* path, int executable) {
  char link[512] = "";
  char self[64];
  struct stat st;
  ssize_t n;
  if (fstat(fd, &st) != 0) return;
  ++opened;
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  n = readlink(self, link, sizeof link - 1);
  if (n > 0) link[n] = '\0';
  if (executable) {
    /* The helper's memfd may be seen. It may not be written. */
    int again = open(self, O_WRONLY | O_CLOEXEC);
    if (again >= 0) {
      if (!IsOwn(&st) && pwrite(again, "x", 1, 0) == 1) {
        ++writable;
        Wrong("wrote to %s (%s)", path, link);
      }
      close(again);
    }
    if (strncmp(link, "/memfd:", 7) == 0) {
      JudgeHelper(self, path);
      return;
    }
  }
  if (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) return;
  if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) return;
  if (strncmp(link, "anon_inode:", 11) == 0) return;
  if (!IsOwn(&st)) Wrong("reached %s (%s)", path, link);
}

static void GrabDirectory(const char* base, const char* name, int executable) {
  char path[400];
  DIR* directory;
  const struct dirent* entry;
  snprintf(path, sizeof path, "%s/%s", base, name);
  directory = opendir(path);
  if (directory == NULL) return;
  while ((entry = readdir(directory)) != NULL) {
    char item[700];
    int fd;
    if (entry->d_name[0] == '.') continue;
    snprintf(item, sizeof item, "%s/%s", path, entry->d_name);
    fd = open(item, O_PATH | O_CLOEXEC);
    if (fd < 0) continue;
    Judge(fd, item, executable);
    close(fd);
  }
  closedir(directory);
}

static void GrabOne(const char* base) {
  static const char* const kLinks[] = {"exe", "root", "cwd"};
  size_t i;
  for (i = 0; i < 3; ++i) {
    char path[400];
    int fd;
    snprintf(path, sizeof path, "%s/%s", base, kLinks[i]);
    fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) continue;
    Judge(fd, path, i == 0);
    close(fd);
  }
  GrabDirectory(base, "fd", 0);
  GrabDirectory(base, "map_files", 1);
}

static volatile sig_atomic_t ended;
static void End(int signal) {
  (void)signal;
  ended = 1;
}

static int Grab(char** words) {
  const time_t end = time(NULL) + atoi(words[0]);
  const pid_t own = getpid();
  int passes = 0;
  signal(SIGTERM, End);
  for (++words; *words != NULL && own_count < 16; ++words) {
    if (stat(*words, &own_places[own_count]) == 0) ++own_count;
  }
  printf("up\n");
  fflush(stdout);
  while (!ended && wrong < kEnough && time(NULL) < end) {
    DIR* proc = opendir("/proc");
    const struct dirent* entry;
    if (proc == NULL) return 1;
    ++passes;
    while ((entry = readdir(proc)) != NULL) {
      char base[300];
      if (!isdigit((unsigned char)entry->d_name[0])) continue;
      if (atoi(entry->d_name) == own) continue;
      snprintf(base, sizeof base, "/proc/%s", entry->d_name);
      GrabOne(base);
    }
    closedir(proc);
  }
  printf("passes %d opened %d writable %d\n", passes, opened, writable);
  if (!wrong) printf("ok\n");
  return wrong ? 3 : 0;
}

int main(int argc, char** argv) {
  const char* verb = argc < 2 ? "" : argv[1];
  if (strcmp(verb, "true") == 0) return 0;
  if (strcmp(verb, "sleep") == 0) {
    signal(SIGTERM, End);
    while (!ended) pause();
    return 0;
  }
  if (strcmp(verb, "box") == 0) return Box(argv + 2);
  if (strcmp(verb, "status") == 0) return Status(argv + 2);
  if (strcmp(verb, "grab") == 0 && argc > 2) return Grab(argv + 2);
  if (strcmp(verb, "peek") == 0 && argc > 2) {
    helper_is_hidden = 1;
    return Grab(argv + 2);
  }
  return 2;
}
