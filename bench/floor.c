// The floor: what the kernel alone takes from "go" to the exit of a static
// program in the same box that the engine makes - the same namespaces,
// mounts, masks, cgroups and limits - made by bare system calls, without
// configuration, state, log or error handling.
//
//   floor LOWER[:LOWER...] SCRATCH PROGRAM
//
// Reads lines from stdin; for each one starts PROGRAM in a fresh box and
// prints the nanoseconds from start to the collected exit.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char* const kControllers[] = {"memory", "pids",    "cpu",
                                           "cpuset", "devices", "freezer"};
static const char* const kMasked[] = {
    "proc/acpi",        "proc/interrupts",
    "proc/kcore",       "proc/keys",
    "proc/timer_list",  "proc/timer_stats",
    "proc/sched_debug", "proc/scsi",
    "sys/firmware",     "sys/devices/virtual/powercap"};
static const char* const kReadonly[] = {"proc/bus", "proc/fs", "proc/irq",
                                        "proc/sys", "proc/sysrq-trigger"};

static void die(const char* what) {
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int new_fs(const char* type, const char* const* options, unsigned attr) {
  const int fs = (int)syscall(SYS_fsopen, type, 0);
  if (fs < 0) die(type);
  for (; *options != NULL; options += 2) {
    const int flag = options[1] == NULL;
    if (syscall(SYS_fsconfig, fs, flag ? 0 : 1, options[0], options[1], 0) < 0)
      die(options[0]);
    if (flag) break;
  }
  if (syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0) < 0) die("fsconfig create");
  const int mnt = (int)syscall(SYS_fsmount, fs, 0, attr);
  if (mnt < 0) die("fsmount");
  close(fs);
  return mnt;
}

static void attach(int mnt, int root, const char* path) {
  if (syscall(SYS_move_mount, mnt, "", root, path, 4) < 0) die(path);
  close(mnt);
}

enum { kMostLayers = 128 };

static char* g_layers[kMostLayers];  // topmost first
static int g_layer_count;

static void split_layers(char* lower) {
  for (char* at = strtok(lower, ":"); at != NULL; at = strtok(NULL, ":")) {
    if (g_layer_count == kMostLayers) die("too many layers");
    g_layers[g_layer_count++] = at;
  }
}

static int new_overlay(const char* upper, const char* work) {
  const char* options[2 * (kMostLayers + 2) + 1];
  int n = 0;
  for (int i = 0; i < g_layer_count; ++i) {
    options[n++] = "lowerdir+";
    options[n++] = g_layers[i];
  }
  const char* const rest[] = {"upperdir", upper, "workdir", work, NULL};
  memcpy(options + n, rest, sizeof rest);
  return new_fs("overlay", options, 0);
}

static void box(const char* scratch, int go, const char* program) {
  static const char* const none[] = {NULL};
  char upper[PATH_MAX], work[PATH_MAX], merged[PATH_MAX];
  snprintf(upper, sizeof upper, "%s/upper", scratch);
  snprintf(work, sizeof work, "%s/work", scratch);
  snprintf(merged, sizeof merged, "%s/merged", scratch);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) die("private");
  attach(new_overlay(upper, work), AT_FDCWD, merged);
  const int root = open(merged, O_PATH | O_CLOEXEC);
  attach(new_fs("proc", none, 0xe), root, "proc");
  const char* const dev[] = {"mode", "755", "size", "65536k", NULL};
  attach(new_fs("tmpfs", dev, 0x2), root, "dev");
  mkdirat(root, "dev/pts", 0755);
  mkdirat(root, "dev/shm", 0755);
  mkdirat(root, "dev/mqueue", 0755);
  const char* const pts[] = {"ptmxmode", "0666", "mode", "0620", NULL};
  attach(new_fs("devpts", pts, 0xa), root, "dev/pts");
  const char* const shm[] = {"mode", "1777", "size", "65536k", NULL};
  attach(new_fs("tmpfs", shm, 0xe), root, "dev/shm");
  attach(new_fs("mqueue", none, 0xe), root, "dev/mqueue");
  attach(new_fs("sysfs", none, 0xf), root, "sys");
  static const struct {
    const char* name;
    unsigned major, minor;
  } nodes[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
               {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
  for (unsigned i = 0; i < sizeof nodes / sizeof nodes[0]; ++i) {
    mknodat(root, nodes[i].name, S_IFCHR | 0666,
            makedev(nodes[i].major, nodes[i].minor));
  }
  symlinkat("pts/ptmx", root, "dev/ptmx");
  symlinkat("/proc/self/fd", root, "dev/fd");
  symlinkat("/proc/self/fd/0", root, "dev/stdin");
  symlinkat("/proc/self/fd/1", root, "dev/stdout");
  symlinkat("/proc/self/fd/2", root, "dev/stderr");
  if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) die("pivot");
  if (umount2(".", MNT_DETACH) < 0) die("umount old root");
  const int null = open("dev/null", O_PATH | O_CLOEXEC);
  const int empty = new_fs("tmpfs", none, 0x1);
  for (unsigned i = 0; i < sizeof kMasked / sizeof kMasked[0]; ++i) {
    struct stat st;
    if (stat(kMasked[i], &st) < 0) continue;
    const int clone =
        (int)syscall(SYS_open_tree, S_ISDIR(st.st_mode) ? empty : null, "",
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (clone >= 0) attach(clone, AT_FDCWD, kMasked[i]);
  }
  for (unsigned i = 0; i < sizeof kReadonly / sizeof kReadonly[0]; ++i) {
    const int clone =
        (int)syscall(SYS_open_tree, AT_FDCWD, kReadonly[i],
                     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (clone < 0) continue;
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    syscall(SYS_mount_setattr, clone, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr,
            sizeof attr);
    attach(clone, AT_FDCWD, kReadonly[i]);
  }
  sethostname("floor", 5);
  char byte;
  if (read(go, &byte, 1) != 1) die("go");
  if (unshare(CLONE_NEWCGROUP) < 0) die("cgroup namespace");
  const uint64_t kept = 0xa80425fb;  // Docker's fourteen
  for (int cap = 0; cap <= 40; ++cap) {
    if (!(kept >> cap & 1)) prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  char* const argv[] = {(char*)program, NULL};
  char* const env[] = {NULL};
  execve(program, argv, env);
  die("execve");
}

static void write_file(const char* dir, const char* file, const char* text) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
  close(fd);
}

static void copy_from_parent(const char* dir, const char* file) {
  char path[PATH_MAX], text[256];
  snprintf(path, sizeof path, "%s/../%s", dir, file);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (n <= 0) die(path);
  close(fd);
  text[n] = '\0';
  write_file(dir, file, text);
}

static uint64_t run(const char* scratch, const char* program, unsigned number) {
  const size_t controllers = sizeof kControllers / sizeof kControllers[0];
  char dirs[sizeof kControllers / sizeof kControllers[0]][PATH_MAX];
  const uint64_t start = now_ns();
  for (size_t i = 0; i < controllers; ++i) {
    snprintf(dirs[i], PATH_MAX, "/sys/fs/cgroup/%s/floor-%d-%u",
             kControllers[i], getpid(), number);
    if (mkdir(dirs[i], 0755) < 0) die(dirs[i]);
  }
  write_file(dirs[0], "memory.limit_in_bytes", "67108864");
  write_file(dirs[1], "pids.max", "64");
  copy_from_parent(dirs[3], "cpuset.mems");
  copy_from_parent(dirs[3], "cpuset.cpus");
  int go[2];
  if (pipe2(go, O_CLOEXEC) < 0) die("pipe2");
  struct clone_args args = {
      .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
               CLONE_NEWUTS,
      .exit_signal = SIGCHLD,
  };
  const pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) die("clone3");
  if (pid == 0) box(scratch, go[0], program);
  char text[16];
  snprintf(text, sizeof text, "%d", pid);
  for (size_t i = 0; i < controllers; ++i) {
    write_file(dirs[i], "cgroup.procs", text);
  }
  if (write(go[1], "x", 1) != 1) die("go");
  int status;
  if (waitpid(pid, &status, 0) != pid) die("waitpid");
  if (status != 0) die("the program failed");
  const uint64_t end = now_ns();
  close(go[0]);
  close(go[1]);
  for (size_t i = 0; i < controllers; ++i) rmdir(dirs[i]);
  return end - start;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: floor LOWER[:LOWER...] SCRATCH PROGRAM\n");
    return 2;
  }
  static const char* const kDirs[] = {"upper", "work", "merged"};
  for (int i = 0; i < 3; ++i) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", argv[2], kDirs[i]);
    mkdir(path, 0755);
  }
  split_layers(argv[1]);
  char line[64];
  for (unsigned n = 0; fgets(line, sizeof line, stdin) != NULL; ++n) {
    printf("%llu\n", (unsigned long long)run(argv[2], argv[3], n));
    fflush(stdout);
  }
  return 0;
}
