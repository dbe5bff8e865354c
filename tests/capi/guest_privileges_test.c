/* Hosts that may do little (E11): under a seccomp filter, in a container,
 * without capabilities, on a read-only file system, without /proc. It works, or
 * the error names what is missing. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/capi/support.h"

static void Deny(const int* calls, size_t count) {
  struct sock_filter filter[64];
  size_t n = 0;
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < count; ++i) {
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                                               (unsigned)calls[i], 0, 1);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
                                               SECCOMP_RET_ERRNO | EPERM);
  }
  filter[n++] =
      (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const struct sock_fprog program = {.len = (unsigned short)n,
                                     .filter = filter};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void DropCapabilities(uint64_t kept) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  for (int capability = 0; capability < 64; ++capability) {
    if ((kept >> capability & 1) == 0) {
      prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    }
  }
  memset(data, 0, sizeof data);
  data[0].effective = data[0].permitted = (uint32_t)kept;
  data[1].effective = data[1].permitted = (uint32_t)(kept >> 32);
  CHECK(syscall(SYS_capset, &header, data) == 0);
}

/* Opens, creates, starts: the first that fails. */
static ck_status TryToRun(ck_engine** engine, ck_container** container,
                          ck_error** err) {
  ck_engine_open_options options = CK_ENGINE_OPEN_OPTIONS_INIT;
  options.root = ScratchDir();
  ck_container_config* config = MakeConfig("true", NULL);
  ck_status status = ck_engine_open(&options, engine, err);
  if (status == CK_OK) {
    status = ck_container_create(*engine, config, NULL, container, err);
  }
  if (status == CK_OK) {
    status = ck_container_start(*container, NULL, NULL, err);
  }
  ck_container_config_release(config);
  return status;
}

static void ExpectFailure(ck_status code, int32_t reason, const char* word) {
  char all[2048];
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_container* container = NULL;
  const HostState before = ReadHostState();
  const ck_status status = TryToRun(&engine, &container, &err);
  snprintf(all, sizeof all, "%d %s: %s (%s) [%s] %s", (int)status,
           ck_error_reason_name(err), ck_error_message(err),
           ck_error_operation(err), ck_error_path(err), ck_error_hint(err));
  printf("%s\n", all);
  if (status != code || ck_error_reason(err) != reason ||
      strstr(all, word) == NULL || ck_error_operation(err)[0] == 0) {
    FailCase(__FILE__, __LINE__, all);
  }
  ck_error_release(err);
  err = NULL;
  if (container != NULL) {
    CHECK_OK(ck_container_remove(container, NULL, &err));
  }
  ck_container_release(container);
  ck_engine_release(engine);
  CheckHostState(&before);
}

static void ExpectSuccess(void) {
  ck_error* err = NULL;
  ck_engine* engine = NULL;
  ck_container* container = NULL;
  int32_t exit_code = -1;
  const HostState before = ReadHostState();
  CHECK_OK(TryToRun(&engine, &container, &err));
  CHECK_OK(ck_container_wait(container, NULL, &exit_code, NULL, &err));
  CHECK(exit_code == 0);
  CHECK_OK(ck_container_remove(container, NULL, &err));
  ck_container_release(container);
  ck_engine_release(engine);
  CheckHostState(&before);
}

static void PrivateMounts(void) {
  CHECK(unshare(CLONE_NEWNS) == 0);
  CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
}

/* --- seccomp --- */

static void WithoutClone(void) {
  static const int kCalls[] = {SYS_clone, SYS_clone3, SYS_fork, SYS_vfork};
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectFailure(CK_PERMISSION_DENIED, CK_REASON_PRIVILEGE_MISSING, "clone");
}

static void WithoutMounts(void) {
  static const int kCalls[] = {SYS_mount,     SYS_fsopen,
                               SYS_fsmount,   SYS_move_mount,
                               SYS_open_tree, SYS_mount_setattr};
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectFailure(CK_PERMISSION_DENIED, CK_REASON_MOUNT_FAILED,
                "Operation not permitted");
}

static void WithoutMemfd(void) {
  static const int kCalls[] = {SYS_memfd_create};
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectFailure(CK_PERMISSION_DENIED, CK_REASON_PRIVILEGE_MISSING,
                "memfd_create");
}

static void WithoutPtrace(void) {
  static const int kCalls[] = {SYS_ptrace, SYS_process_vm_readv,
                               SYS_process_vm_writev, SYS_kcmp};
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectSuccess();
}

static void FiltersAreNamed(void) {
  RequireContainers();
  ck_engine_release(EngineWithBusybox());
  InChild(WithoutClone, 60);
  InChild(WithoutMounts, 60);
  InChild(WithoutMemfd, 60);
  InChild(WithoutPtrace, 60);
}

/* --- users and capabilities --- */

static void AsNobody(void) {
  CHECK(setresgid(65534, 65534, 65534) == 0);
  CHECK(setresuid(65534, 65534, 65534) == 0);
  ExpectFailure(CK_PERMISSION_DENIED, CK_REASON_PRIVILEGE_MISSING,
                "Permission denied");
}

/* Root without CAP_SYS_ADMIN, where user namespaces are no way out either: what
 * docker gives a container. */
static void InAContainer(void) {
  static const int kCalls[] = {
      SYS_unshare,    SYS_setns,  SYS_mount,         SYS_umount2,
      SYS_pivot_root, SYS_fsopen, SYS_fsmount,       SYS_move_mount,
      SYS_open_tree,  SYS_ptrace, SYS_mount_setattr, SYS_keyctl,
      SYS_add_key,    SYS_bpf,    SYS_clone3,        SYS_perf_event_open};
  DropCapabilities(0xa80425fb);
  Deny(kCalls, sizeof kCalls / sizeof kCalls[0]);
  ExpectFailure(CK_PERMISSION_DENIED, CK_REASON_PRIVILEGE_MISSING,
                "Operation not permitted");
}

/* Own namespaces and every capability: as good as no container. */
static void InAPrivilegedContainer(void) {
  int status = 0;
  CHECK(unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET) ==
        0);
  PrivateMounts();
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child != 0) {
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return;
  }
  CHECK(mount("proc", "/proc", "proc", 0, NULL) == 0);
  ExpectSuccess();
  _exit(0);
}

static void PrivilegesAreNamed(void) {
  RequireContainers();
  ck_engine_release(EngineWithBusybox());
  InChild(AsNobody, 60);
  InChild(InAContainer, 60);
  InChild(InAPrivilegedContainer, 60);
}

/* --- file systems --- */

static void MakeReadOnly(const char* path) {
  CHECK(mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
}

static void ReadOnlyState(void) {
  PrivateMounts();
  CHECK(mount(ScratchDir(), ScratchDir(), NULL, MS_BIND, NULL) == 0);
  MakeReadOnly(ScratchDir());
  ExpectFailure(CK_PERMISSION_DENIED, CK_REASON_SYSTEM_CALL,
                "Read-only file system");
}

/* Only the state root can be written. */
static void ReadOnlyRoot(void) {
  PrivateMounts();
  CHECK(mount(ScratchDir(), ScratchDir(), NULL, MS_BIND, NULL) == 0);
  MakeReadOnly("/");
  ExpectSuccess();
}

static void WithoutProc(void) {
  PrivateMounts();
  CHECK(umount2("/proc", MNT_DETACH) == 0);
  ExpectFailure(CK_NOT_FOUND, CK_REASON_SYSTEM_CALL, "/proc");
}

static void FileSystemsAreNamed(void) {
  RequireContainers();
  ck_engine_release(EngineWithBusybox());
  InChild(ReadOnlyState, 60);
  InChild(ReadOnlyRoot, 60);
  InChild(WithoutProc, 60);
}

int main(void) {
  static const TestCase kCases[] = {
      {"FiltersAreNamed", FiltersAreNamed},
      {"PrivilegesAreNamed", PrivilegesAreNamed},
      {"FileSystemsAreNamed", FileSystemsAreNamed},
  };
  return RUN_CASES("GuestPrivileges", kCases);
}
