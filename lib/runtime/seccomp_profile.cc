#include "lib/runtime/seccomp_profile.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "lib/base/json.h"
#include "lib/base/mutex.h"
#include "lib/base/status.h"
#include "lib/oci/runtime_spec.h"
#include "lib/runtime/capabilities.h"
#include "lib/runtime/host_facts.h"
#include "lib/runtime/seccomp_compiler.h"
#include "lib/runtime/seccomp_syscalls.h"

namespace containerkit::runtime {
namespace {

constexpr uint32_t kEperm = 1;
constexpr uint32_t kEnosys = 38;
// CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}.
constexpr uint64_t kCloneNewFlags = 0x7e020000;
constexpr uint64_t kFamilyAlg = 38;    // AF_ALG
constexpr uint64_t kFamilyVsock = 40;  // AF_VSOCK

constexpr absl::string_view kAllow = "SCMP_ACT_ALLOW";

// Allowed for everybody.
constexpr absl::string_view kAlways =
    "accept accept4 access adjtimex alarm bind brk cachestat capget capset "
    "chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres "
    "clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
    "clock_nanosleep_time64 close close_range connect copy_file_range creat "
    "dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old "
    "epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 "
    "execve execveat exit exit_group faccessat faccessat2 fadvise64 "
    "fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 "
    "fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr "
    "flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
    "fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 "
    "futex_wait futex_waitv futex_wake futimesat getcpu getcwd getdents "
    "getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
    "getgroups32 getitimer getpeername getpgid getpgrp getpid getppid "
    "getpriority getrandom getresgid getresgid32 getresuid getresuid32 "
    "getrlimit get_robust_list getrusage getsid getsockname getsockopt "
    "get_thread_area gettid gettimeofday getuid getuid32 getxattr getxattrat "
    "inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel "
    "ioctl io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
    "ioprio_get ioprio_set io_setup io_submit ipc kill landlock_add_rule "
    "landlock_create_ruleset landlock_restrict_self lchown lchown32 lgetxattr "
    "link linkat listen listmount listxattr listxattrat llistxattr _llseek "
    "lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack "
    "membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat "
    "mlock mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify "
    "mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
    "mq_timedsend_time64 mq_unlink mremap mseal msgctl msgget msgrcv msgsnd "
    "msync munlock munlockall munmap name_to_handle_at nanosleep newfstatat "
    "_newselect open openat openat2 pause pidfd_open pidfd_send_signal pipe "
    "pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl "
    "pread64 preadv preadv2 prlimit64 process_mrelease pselect6 "
    "pselect6_time64 pwrite64 pwritev pwritev2 read readahead readlink "
    "readlinkat readv recv recvfrom recvmmsg recvmmsg_time64 recvmsg "
    "remap_file_pages removexattr removexattrat rename renameat renameat2 "
    "restart_syscall riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
    "rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sched_getaffinity sched_getattr sched_getparam sched_get_priority_max "
    "sched_get_priority_min sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
    "sched_setparam sched_setscheduler sched_yield seccomp select semctl "
    "semget semop semtimedop semtimedop_time64 send sendfile sendfile64 "
    "sendmmsg sendmsg sendto setfsgid setfsgid32 setfsuid setfsuid32 setgid "
    "setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid "
    "setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit set_robust_list setsid setsockopt set_thread_area "
    "set_tid_address setuid setuid32 setxattr setxattrat shmat shmctl shmdt "
    "shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn "
    "socketcall socketpair splice stat stat64 statfs statfs64 statmount statx "
    "symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time "
    "timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime "
    "timerfd_gettime64 timerfd_settime timerfd_settime64 times tkill truncate "
    "truncate64 ugetrlimit umask uname unlink unlinkat uretprobe utime "
    "utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid "
    "write writev";

// Allowed with a capability of the bounding set.
struct CapabilityGroup {
  absl::string_view capability;
  absl::string_view names;
};

constexpr CapabilityGroup kByCapability[] = {
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick "
     "lookup_dcookie lsm_get_self_attr lsm_list_modules lsm_set_self_attr "
     "mount mount_setattr move_mount open_tree perf_event_open quotactl "
     "quotactl_fd setdomainname sethostname setns syslog umount umount2 "
     "unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module finit_module init_module"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE",
     "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev "
     "ptrace"},
    {"CAP_SYS_RAWIO", "ioperm iopl"},
    {"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYS_NICE",
     "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYSLOG", "syslog"},
    {"CAP_BPF", "bpf"},
    {"CAP_PERFMON", "perf_event_open"},
};

// Allowed on one native architecture.
struct ArchGroup {
  SeccompArch native;
  absl::string_view names;
};

constexpr ArchGroup kByArch[] = {
    {SeccompArch::kX86_64, "arch_prctl modify_ldt"},
    {SeccompArch::kAarch64,
     "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint "
     "cacheflush set_tls"},
};

// Safe since 4.8, where a tracer can no longer bypass seccomp.
constexpr KernelVersion kPtraceKernel = {4, 8};
constexpr absl::string_view kPtraceNames =
    "process_vm_readv process_vm_writev ptrace";

// PER_LINUX, PER_LINUX32, UNAME26 with both, and the query.
constexpr uint64_t kPersonalities[] = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

absl::Status Invalid(absl::string_view message) {
  return InvalidArgument(Reason::kSeccompInvalid, "seccomp.profile", message);
}

bool HasCapability(CapabilityMask mask, absl::string_view name) {
  const std::optional<int> number = CapabilityNumber(name);
  return number.has_value() && (mask >> *number & 1) != 0;
}

oci::SeccompRule Allow(absl::string_view names) {
  oci::SeccompRule rule;
  rule.names = absl::StrSplit(names, ' ', absl::SkipEmpty());
  rule.action = std::string(kAllow);
  return rule;
}

oci::SeccompRule AllowIf(absl::string_view name, absl::string_view op,
                         uint64_t value, uint64_t value_two = 0) {
  oci::SeccompRule rule = Allow(name);
  rule.args.push_back({0, value, value_two, std::string(op)});
  return rule;
}

// What depends on arguments.
void AddArgumentRules(bool sys_admin, std::vector<oci::SeccompRule>& rules) {
  rules.push_back(AllowIf("socket", "SCMP_CMP_LT", kFamilyAlg));
  for (uint64_t family = kFamilyAlg + 1; family < kFamilyVsock; ++family) {
    rules.push_back(AllowIf("socket", "SCMP_CMP_EQ", family));
  }
  rules.push_back(AllowIf("socket", "SCMP_CMP_GT", kFamilyVsock));
  for (const uint64_t persona : kPersonalities) {
    rules.push_back(AllowIf("personality", "SCMP_CMP_EQ", persona));
  }
  if (sys_admin) return;
  rules.push_back(AllowIf("clone", "SCMP_CMP_MASKED_EQ", kCloneNewFlags));
  oci::SeccompRule clone3 = Allow("clone3");
  clone3.action = "SCMP_ACT_ERRNO";
  clone3.errno_ret = kEnosys;
  rules.push_back(std::move(clone3));
}

std::vector<std::string> SubArchitectures(SeccompArch native) {
  if (native == SeccompArch::kAarch64) return {"SCMP_ARCH_AARCH64"};
  return {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
}

// "5.10", "4.8-rc1".
std::optional<KernelVersion> ParseMinKernel(absl::string_view text) {
  const KernelVersion version = ParseKernelRelease(text);
  if (version == KernelVersion{}) return std::nullopt;
  return version;
}

// `includes` or `excludes`.
struct Filter {
  std::vector<std::string> caps;
  std::vector<std::string> arches;
  std::optional<KernelVersion> min_kernel;
};

Filter ReadFilter(const JsonNode& node) {
  Filter out;
  out.caps = node.Get("caps").Strings();
  for (const std::string& cap : out.caps) {
    if (!CapabilityNumber(cap).has_value()) {
      node.Get("caps").Fail(absl::StrCat("unknown capability ", cap));
    }
  }
  out.arches = node.Get("arches").Strings();
  const std::string version = node.Get("minKernel").String();
  if (!version.empty()) {
    out.min_kernel = ParseMinKernel(version);
    if (!out.min_kernel.has_value()) {
      node.Get("minKernel").Fail(absl::StrCat("no kernel version: ", version));
    }
  }
  return out;
}

bool NamesArch(const Filter& filter, SeccompArch native) {
  const absl::string_view name =
      native == SeccompArch::kAarch64 ? "arm64" : "amd64";
  return std::find(filter.arches.begin(), filter.arches.end(), name) !=
         filter.arches.end();
}

bool Included(const Filter& filter, const SeccompConditions& conditions) {
  for (const std::string& cap : filter.caps) {
    if (!HasCapability(conditions.bounding, cap)) return false;
  }
  if (!filter.arches.empty() && !NamesArch(filter, conditions.native)) {
    return false;
  }
  return !filter.min_kernel.has_value() ||
         conditions.kernel >= *filter.min_kernel;
}

bool Excluded(const Filter& filter, const SeccompConditions& conditions) {
  for (const std::string& cap : filter.caps) {
    if (HasCapability(conditions.bounding, cap)) return true;
  }
  if (NamesArch(filter, conditions.native)) return true;
  return filter.min_kernel.has_value() &&
         conditions.kernel >= *filter.min_kernel;
}

std::optional<uint32_t> ReadErrno(const JsonNode& node) {
  if (!node.present()) return std::nullopt;
  const uint64_t value = node.Uint64();
  if (value > UINT32_MAX) node.Fail("errno out of range");
  return static_cast<uint32_t>(value);
}

oci::SeccompRule ReadRule(const JsonNode& node) {
  oci::SeccompRule rule;
  rule.names = node.Get("names").Strings();
  const std::string name = node.Get("name").String();
  if (!name.empty()) {
    if (!rule.names.empty()) node.Fail("has both name and names");
    rule.names = {name};
  }
  rule.action = node.Get("action").RequiredString();
  rule.errno_ret = ReadErrno(node.Get("errnoRet"));
  for (const JsonNode& arg : node.Get("args").Elements()) {
    oci::SeccompArg out;
    const uint64_t index = arg.Get("index").Uint64();
    if (index > 5) arg.Get("index").Fail("no such argument");
    out.index = static_cast<uint32_t>(index);
    out.value = arg.Get("value").Uint64();
    out.value_two = arg.Get("valueTwo").Uint64();
    out.op = arg.Get("op").RequiredString();
    rule.args.push_back(std::move(out));
  }
  return rule;
}

// `architectures` or the entry of `archMap` for the native one.
std::vector<std::string> ReadArchitectures(const JsonNode& root,
                                           SeccompArch native) {
  std::vector<std::string> out = root.Get("architectures").Strings();
  const JsonNode map = root.Get("archMap");
  if (map.present() && !out.empty()) {
    map.Fail("architectures and archMap exclude each other");
  }
  for (const JsonNode& entry : map.Elements()) {
    const std::string arch = entry.Get("architecture").String();
    std::vector<std::string> subs = entry.Get("subArchitectures").Strings();
    if (SeccompArchOf(arch) != native) continue;
    out.push_back(arch);
    out.insert(out.end(), subs.begin(), subs.end());
  }
  return out;
}

using CacheKey = std::tuple<CapabilityMask, KernelVersion, SeccompArch>;

class ProgramCache {
 public:
  absl::StatusOr<std::shared_ptr<const SeccompProgram>> Get(
      const SeccompConditions& conditions) ABSL_LOCKS_EXCLUDED(mutex_) {
    const CacheKey key = {conditions.bounding, conditions.kernel,
                          conditions.native};
    {
      const MutexLock lock(&mutex_);
      const auto it = programs_.find(key);
      if (it != programs_.end()) return it->second;
    }
    CK_ASSIGN_OR_RETURN(
        SeccompProgram program,
        CompileSeccomp(DefaultSeccompProfile(conditions), conditions.native));
    auto shared = std::make_shared<const SeccompProgram>(std::move(program));
    const MutexLock lock(&mutex_);
    if (programs_.size() >= kMaxPrograms) programs_.clear();
    programs_[key] = shared;
    return shared;
  }

 private:
  static constexpr size_t kMaxPrograms = 64;

  Mutex mutex_;
  std::map<CacheKey, std::shared_ptr<const SeccompProgram>> programs_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace

oci::Seccomp DefaultSeccompProfile(const SeccompConditions& conditions) {
  oci::Seccomp out;
  out.default_action = "SCMP_ACT_ERRNO";
  out.default_errno_ret = kEperm;
  out.architectures = SubArchitectures(conditions.native);
  out.syscalls.push_back(Allow(kAlways));
  if (conditions.kernel >= kPtraceKernel) {
    out.syscalls.push_back(Allow(kPtraceNames));
  }
  for (const ArchGroup& group : kByArch) {
    if (group.native == conditions.native) {
      out.syscalls.push_back(Allow(group.names));
    }
  }
  for (const CapabilityGroup& group : kByCapability) {
    if (HasCapability(conditions.bounding, group.capability)) {
      out.syscalls.push_back(Allow(group.names));
    }
  }
  AddArgumentRules(HasCapability(conditions.bounding, "CAP_SYS_ADMIN"),
                   out.syscalls);
  return out;
}

absl::StatusOr<std::shared_ptr<const SeccompProgram>> DefaultSeccompProgram(
    const SeccompConditions& conditions) {
  static ProgramCache* const cache = new ProgramCache;
  return cache->Get(conditions);
}

absl::StatusOr<oci::Seccomp> ParseSeccompProfile(
    absl::string_view json, const SeccompConditions& conditions) {
  CK_ASSIGN_OR_RETURN(const JsonDocument document,
                      JsonDocument::Parse(json, "seccomp.profile"));
  const JsonNode root = document.root();
  if (!root.is_object()) return Invalid("profile is not a JSON object");
  oci::Seccomp out;
  out.default_action = root.Get("defaultAction").RequiredString();
  out.default_errno_ret = ReadErrno(root.Get("defaultErrnoRet"));
  out.architectures = ReadArchitectures(root, conditions.native);
  out.flags = root.Get("flags").Strings();
  out.listener_path = root.Get("listenerPath").String();
  out.listener_metadata = root.Get("listenerMetadata").String();
  for (const JsonNode& node : root.Get("syscalls").Elements()) {
    oci::SeccompRule rule = ReadRule(node);
    const Filter includes = ReadFilter(node.Get("includes"));
    const Filter excludes = ReadFilter(node.Get("excludes"));
    if (Excluded(excludes, conditions) || !Included(includes, conditions)) {
      continue;
    }
    out.syscalls.push_back(std::move(rule));
  }
  CK_RETURN_IF_ERROR(document.status());
  return out;
}

}  // namespace containerkit::runtime
