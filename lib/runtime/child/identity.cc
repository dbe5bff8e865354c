#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "lib/base/mutation.h"
#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/mounts.h"
#include "lib/runtime/child/process.h"
#include "lib/runtime/child/sys.h"

namespace containerkit::runtime::child {
namespace {

// Lets the container's user reopen its standard streams (/dev/stdout).
void GiveStdio(uint32_t uid) {
  for (int fd = 0; fd < 3; ++fd) {
    struct stat stat;
    if (Fstat(fd, &stat) < 0 || stat.st_uid == uid) continue;
    if (S_ISCHR(stat.st_mode) && stat.st_rdev == MakeDevice(1, 3)) continue;
    Sys(SYS_fchown, fd, uid, -1);
  }
}

long SetGroups(List groups) {
  const size_t size = size_t{groups.count} * sizeof(uint32_t);
  auto* ids = static_cast<uint32_t*>(size == 0 ? nullptr : AllocatePages(size));
  if (size != 0 && ids == nullptr) return Fail(-ENOMEM, "mmap", "groups");
  size_t count = 0;
  long result = 0;
  while (groups.count > 0) {
    const Str text = groups.Take();
    uint64_t id;
    if (!ParseInt(text.c_str(), &id) || id > 0xfffffffe) {
      result = Fail(-EINVAL, "group", text);
      break;
    }
    ids[count++] = uint32_t(id);
  }
  if (result == 0) {
    result = Sys(SYS_setgroups, count, ids);
    if (result < 0) Fail(result, "setgroups", "");
  }
  FreePages(ids, size);
  return result;
}

}  // namespace

long StepUser(Child& child, FieldReader fields) {
  const uint64_t uid = fields.U();
  const uint64_t gid = fields.U();
  const List groups = fields.L();
  const uint64_t flags = fields.U();
  char subject[48];
  Text(subject, sizeof subject)
      .AddInt(int64_t(uid))
      .AddChar(':')
      .AddInt(int64_t(gid));
  // 2^32-1 means "leave it" to the kernel, which must never be an identity.
  if (uid > 0xfffffffe || gid > 0xfffffffe) {
    return Fail(-EINVAL, "setresuid", subject);
  }
  if (child.own_stdio) GiveStdio(uint32_t(uid));
  long result = Sys(SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
  if (result < 0) return Fail(result, "prctl keepcaps", subject);
  if ((flags & kUserNoSetgroups) == 0) {
    result = SetGroups(groups);
    if (result < 0) return result;
  }
  result = Sys(SYS_setresgid, gid, gid, gid);
  if (result < 0) return Fail(result, "setresgid", subject);
  result = Sys(SYS_setresuid, uid, uid, uid);
  if (result < 0) return Fail(result, "setresuid", subject);
  return 0;
}

long StepCapabilities(FieldReader fields) {
  const uint64_t effective = fields.U();
  const uint64_t permitted = fields.U();
  uint64_t inheritable = fields.U();
  if constexpr (Mutated("R13")) inheritable = permitted;
  const uint64_t ambient = fields.U();
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {
      {uint32_t(effective), uint32_t(permitted), uint32_t(inheritable)},
      {uint32_t(effective >> 32), uint32_t(permitted >> 32),
       uint32_t(inheritable >> 32)}};
  long result = Sys(SYS_capset, &header, data);
  if (result < 0) return Fail(result, "capset", "");
  result = Sys(SYS_prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0);
  if (result < 0) return Fail(result, "prctl keepcaps", "");
  result = Sys(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (result < 0) return Fail(result, "prctl ambient", "");
  for (unsigned cap = 0; cap < 64; ++cap) {
    if ((ambient >> cap & 1) == 0) continue;
    result = Sys(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
    if (result < 0) return Fail(result, "prctl ambient", "");
  }
  return 0;
}

long StepBoundingSet(FieldReader fields) {
  const uint64_t keep = fields.U();
  for (unsigned cap = 0; cap < 64; ++cap) {
    if (keep >> cap & 1) continue;
    const long result = Sys(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
    if (result == -EINVAL) break;  // past the kernel's last capability
    if (result < 0) return Fail(result, "prctl capbset", "");
  }
  return 0;
}

long StepNoNewPrivs() {
  const long result = Sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return result < 0 ? Fail(result, "prctl", "no_new_privs") : 0;
}

long StepSeccomp(Child& child, const StepView& step) {
  FieldReader fields = step.Fields();
  const Str program = fields.S();
  uint64_t flags = fields.U();
  const Str listener = fields.S();
  if (program.size == 0 || program.size % sizeof(sock_filter) != 0 ||
      program.size / sizeof(sock_filter) > BPF_MAXINSNS) {
    return Fail(-EINVAL, "seccomp", "program");
  }
  if constexpr (Mutated("R12")) return 0;
  long result = PrepareExec(*child.plan);
  if (result < 0) return result;
  // The wire does not align; the kernel copies, but through a typed pointer.
  struct sock_fprog filter = {
      uint16_t(program.size / sizeof(sock_filter)),
      reinterpret_cast<struct sock_filter*>(const_cast<char*>(program.data))};
  if (!listener.empty()) flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
  result = Sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
  if (result < 0) return Fail(result, "seccomp", "");
  if (listener.empty()) return 0;
  const int fd = int(result);
  char message[16];
  Text text(message, sizeof message);
  text.AddChar(kMessageListener).AddInt(step.index);
  const long sent = SendPacket(child.sync, message, text.size() + 1, &fd, 1, 0);
  Close(fd);
  return sent < 0 ? Fail(sent, "sendmsg", listener) : 0;
}

long StepLabel(Child& child, Op op, FieldReader fields) {
  const Str label = fields.S();
  const long procfs = OwnProcfs(child);
  if (procfs < 0) return procfs;
  if (op == Op::kSelinuxLabel) {
    const long result = WriteInProcfs(int(procfs), "thread-self/attr/exec",
                                      label.data, label.size);
    return result < 0 ? Fail(result, "write attr/exec", label) : 0;
  }
  char value[1024];
  Text text(value, sizeof value);
  text.Add("exec ").Add(label);
  if (text.cut()) return Fail(-ENAMETOOLONG, "apparmor", label);
  long result = WriteInProcfs(int(procfs), "thread-self/attr/apparmor/exec",
                              value, text.size());
  if (result == -ENOENT) {
    result =
        WriteInProcfs(int(procfs), "thread-self/attr/exec", value, text.size());
  }
  return result < 0 ? Fail(result, "write attr/apparmor/exec", label) : 0;
}

long StepSessionKeyring(FieldReader fields) {
  const Str name = fields.S();
  const long result =
      Sys(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str(), 0, 0, 0);
  // Kernels without keyrings have none to be kept apart.
  return result < 0 && result != -ENOSYS ? Fail(result, "keyctl", name) : 0;
}

}  // namespace containerkit::runtime::child
