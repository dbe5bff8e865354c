#include "lib/runtime/child/host_steps.h"

#include <linux/bpf.h>
#include <sys/un.h>

#include "lib/runtime/child/fail.h"
#include "lib/runtime/child/hook.h"
#include "lib/runtime/child/sys.h"
#include "lib/runtime/child/text.h"

namespace containerkit::runtime::child {
namespace {

bool ProcPath(Text& path, int pid, const char* file) {
  path.Add("/proc/").AddInt(pid).AddChar('/').Add(file);
  return !path.cut() && Find(file, "..") == nullptr;
}

long WriteProc(int pid, const char* file, Str value) {
  char path[128];
  Text text(path, sizeof path);
  if (!ProcPath(text, pid, file)) return Fail(-EINVAL, "write", file);
  const long result = WriteFileAt(kAtFdCwd, path, value.data, value.size);
  return result < 0 ? Fail(result, "write", path) : 0;
}

// newuidmap PID INSIDE OUTSIDE COUNT ... from lines of a map.
long RunMapper(const char* program, int pid, Str map) {
  constexpr int kMostWords = 340 * 3;
  const size_t size = sizeof(char*) * (kMostWords + 3);
  const size_t text_size = map.size + 1;
  auto** argv = static_cast<const char**>(AllocatePages(size));
  auto* words = static_cast<char*>(AllocatePages(text_size));
  char number[24];
  Text(number, sizeof number).AddInt(pid);
  long result = argv == nullptr || words == nullptr ? -ENOMEM : 0;
  int count = 0;
  if (result == 0) {
    memcpy(words, map.data, text_size);
    argv[count++] = program;
    argv[count++] = number;
    bool in_word = false;
    for (char* at = words; *at != '\0'; ++at) {
      const bool blank = *at == ' ' || *at == '\n' || *at == '\t';
      if (blank) *at = '\0';
      if (!blank && !in_word && count < kMostWords + 2) argv[count++] = at;
      in_word = !blank;
    }
    const char* const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
    result = RunProgram(program, argv, env, -1, 10 * 1000);
  } else {
    Fail(result, "mmap", program);
  }
  FreePages(argv, size);
  FreePages(words, text_size);
  return result;
}

}  // namespace

long StepWriteHost(FieldReader fields, OpenHostFile& last) {
  const Str path = fields.S();
  const Str value = fields.S();
  const uint64_t flags = fields.U();
  long result = 0;
  if (last.fd < 0 || !Equal(last.path.c_str(), path.c_str())) {
    CloseAndForget(last.fd);
    result = Open(path.c_str(), O_WRONLY);
    last = {path, int(result)};
  }
  // Files of cgroups and of /proc take each write as a whole value.
  if (result >= 0) result = Write(last.fd, value.data, value.size);
  if (result >= 0 || (flags & kWriteOptional)) return 0;
  return Fail(result, "write", path);
}

long StepDeviceProgram(FieldReader fields) {
  const Str path = fields.S();
  const Str program = fields.S();
  const bool optional = (fields.U() & kWriteOptional) != 0;
  const long group = Open(path.c_str(), O_RDONLY | O_DIRECTORY);
  if (group < 0) return optional ? 0 : Fail(group, "open", path);
  union bpf_attr load;
  memset(&load, 0, sizeof load);
  load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load.insns = uint64_t(ToLong(program.data));
  load.insn_cnt = program.size / sizeof(struct bpf_insn);
  load.license = uint64_t(ToLong("Apache"));
  const char* call = "bpf load";
  long result = Sys(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  if (result >= 0) {
    const int fd = int(result);
    union bpf_attr attach;
    memset(&attach, 0, sizeof attach);
    attach.target_fd = uint32_t(group);
    attach.attach_bpf_fd = uint32_t(fd);
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    call = "bpf attach";
    result = Sys(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
    Close(fd);
  }
  Close(int(group));
  return result >= 0 || optional ? 0 : Fail(result, call, path);
}

long StepIdMap(FieldReader fields, int pid) {
  const Str uids = fields.S();
  const Str gids = fields.S();
  const uint64_t mode = fields.U();
  if (mode == kIdMapHelper) {
    const long result = RunMapper("/usr/bin/newuidmap", pid, uids);
    return result < 0 ? result : RunMapper("/usr/bin/newgidmap", pid, gids);
  }
  if (mode == kIdMapSingle) {
    const long result = WriteProc(pid, "setgroups", ToStr("deny"));
    if (result < 0) return result;
  }
  return WriteIdMaps(pid, uids, gids);
}

long WriteIdMaps(int pid, Str uids, Str gids) {
  const long result = WriteProc(pid, "uid_map", uids);
  return result < 0 ? result : WriteProc(pid, "gid_map", gids);
}

long StepWriteChildProc(FieldReader fields, int pid) {
  const Str file = fields.S();
  const Str value = fields.S();
  const bool optional = (fields.U() & kWriteOptional) != 0;
  const long result = WriteProc(pid, file.c_str(), value);
  return result < 0 && !optional ? result : 0;
}

long SendListener(const StepView& step, int listener, int pid) {
  FieldReader fields = step.Fields();
  fields.S();  // program
  fields.U();  // flags
  const Str path = fields.S();
  const Str metadata = fields.S();
  const Str head = fields.S();
  const Str tail = fields.S();
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size >= sizeof address.sun_path) {
    return Fail(-ENAMETOOLONG, "connect", path);
  }
  memcpy(address.sun_path, path.data, path.size);
  const size_t size = size_t{metadata.size} * 6 + head.size + tail.size + 256;
  auto* state = static_cast<char*>(AllocatePages(size));
  if (state == nullptr) return Fail(-ENOMEM, "mmap", path);
  Text text(state, size);
  text.Add("{\"ociVersion\":\"1.2.0\",\"fds\":[\"seccompFd\"],\"pid\":")
      .AddInt(pid)
      .Add(",\"metadata\":\"");
  char* const at = state + text.size();
  Text rest(at + EscapeJson(metadata.data, metadata.size, at),
            head.size + tail.size + 128);
  rest.Add("\",\"state\":").Add(head).AddInt(pid).Add(tail).AddChar('}');
  const size_t total = size_t(rest.c_str() - state) + rest.size();
  const char* call = "socket";
  const long fd = Sys(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  long result = fd;
  if (fd >= 0) {
    call = "connect";
    result = Sys(SYS_connect, fd, &address, sizeof address);
  }
  if (result >= 0) {
    call = "sendmsg";
    result = SendPacket(int(fd), state, total, &listener, 1, 0);
  }
  Close(int(fd));
  FreePages(state, size);
  return result < 0 ? Fail(result, call, path) : 0;
}

}  // namespace containerkit::runtime::child
