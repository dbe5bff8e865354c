// Cgroup over the unified hierarchy.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/sys/cgroup.h"
#include "lib/sys/cgroup_files.h"
#include "lib/sys/cgroup_internal.h"
#include "lib/sys/cgroup_translate.h"

namespace containerkit::sys {
namespace {

constexpr uint64_t kNanosPerMicro = 1000;

class CgroupV2 final : public Cgroup {
 public:
  explicit CgroupV2(CgroupDir dir) : dir_(std::move(dir)) {}

  absl::StatusOr<CgroupStats> Stats() override;
  absl::Status Update(const CgroupResources& resources) override;
  absl::Status Freeze() override { return SetFrozen(true); }
  absl::Status Thaw() override { return SetFrozen(false); }
  absl::StatusOr<bool> Frozen() override;
  absl::Status KillAll(absl::Duration timeout) override;
  absl::StatusOr<std::vector<pid_t>> Processes() override {
    return dir_.Processes();
  }
  absl::Status Remove() override {
    return dir_.Remove(absl::Now() + kCgroupRemoveTimeout);
  }
  std::string OomPath() const override;

 private:
  absl::Status SetFrozen(bool frozen);
  // Waits until cgroup.events says "KEY VALUE".
  absl::Status WaitEvent(absl::string_view key, uint64_t value,
                         absl::Time deadline, absl::string_view complaint);
  void KillOnce();

  const CgroupDir dir_;
};

void ReadCpu(const CgroupDir& dir, CgroupStats& out) {
  const std::string stat = dir.Read("cpu.stat").value_or("");
  out.cpu_usage_ns = KeyedNumber(stat, "usage_usec") * kNanosPerMicro;
  out.cpu_user_ns = KeyedNumber(stat, "user_usec") * kNanosPerMicro;
  out.cpu_system_ns = KeyedNumber(stat, "system_usec") * kNanosPerMicro;
  out.cpu_periods = KeyedNumber(stat, "nr_periods");
  out.cpu_throttled_periods = KeyedNumber(stat, "nr_throttled");
  out.cpu_throttled_ns = KeyedNumber(stat, "throttled_usec") * kNanosPerMicro;
}

void ReadMemory(const CgroupDir& dir, CgroupStats& out) {
  const std::string stat = dir.Read("memory.stat").value_or("");
  out.memory_cache_bytes = KeyedNumber(stat, "file");
  out.memory_inactive_file_bytes = KeyedNumber(stat, "inactive_file");
  const uint64_t usage = dir.Number("memory.current").value_or(0);
  out.memory_raw_usage_bytes = usage;
  out.memory_usage_bytes =
      usage - std::min(usage, out.memory_inactive_file_bytes);
  out.memory_max_usage_bytes = dir.Number("memory.peak").value_or(0);
  out.memory_limit_bytes = dir.Number("memory.max").value_or(0);
  const std::string events = dir.Read("memory.events").value_or("");
  out.memory_fail_count = KeyedNumber(events, "max");
  out.oom_kills = KeyedNumber(events, "oom_kill");
}

// Sums of lines "MAJOR:MINOR rbytes=N wbytes=N ...".
void ReadBlockIo(const CgroupDir& dir, CgroupStats& out) {
  const std::string text = dir.Read("io.stat").value_or("");
  for (absl::string_view word :
       absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
    uint64_t bytes = 0;
    if (absl::ConsumePrefix(&word, "rbytes=") &&
        absl::SimpleAtoi(word, &bytes)) {
      out.block_read_bytes += bytes;
    } else if (absl::ConsumePrefix(&word, "wbytes=") &&
               absl::SimpleAtoi(word, &bytes)) {
      out.block_write_bytes += bytes;
    }
  }
}

absl::StatusOr<CgroupStats> CgroupV2::Stats() {
  // Gone with the cgroup; there in every other case.
  CK_RETURN_IF_ERROR(dir_.Read("cgroup.events").status());
  CgroupStats out;
  ReadCpu(dir_, out);
  ReadMemory(dir_, out);
  ReadBlockIo(dir_, out);
  out.pids_current = dir_.Number("pids.current").value_or(0);
  out.pids_limit = dir_.Number("pids.max").value_or(0);
  return out;
}

absl::Status CgroupV2::Update(const CgroupResources& resources) {
  CK_ASSIGN_OR_RETURN(const std::vector<CgroupWrite> writes,
                      CgroupV2Writes(resources));
  const CgroupMemory& memory = resources.memory;
  if (memory.check_before_update.value_or(false) &&
      memory.limit_bytes.value_or(-1) > 0) {
    const uint64_t usage = dir_.Number("memory.current").value_or(0);
    if (usage > static_cast<uint64_t>(*memory.limit_bytes)) {
      return InvalidArgument(
          Reason::kInvalidArgument, "cgroup.update",
          absl::StrCat("memory limit below the present usage of ", usage));
    }
  }
  for (const CgroupWrite& write : writes) {
    const absl::Status status = dir_.Write(write.file.c_str(), write.value);
    if (status.ok() || write.optional) continue;
    return absl::IsNotFound(status) ? CgroupControllerMissing(write.controller)
                                    : status;
  }
  return absl::OkStatus();
}

absl::Status CgroupV2::WaitEvent(absl::string_view key, uint64_t value,
                                 absl::Time deadline,
                                 absl::string_view complaint) {
  const UniqueFd fd(openat(dir_.fd(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) {
    return SyscallError(errno, "cgroup.wait", "open", dir_.path(),
                        Reason::kCgroupFailed);
  }
  for (;;) {
    char text[256];
    const ssize_t size = pread(fd.get(), text, sizeof text, 0);
    if (size < 0) {
      return SyscallError(errno, "cgroup.wait", "read", dir_.path(),
                          Reason::kCgroupFailed);
    }
    const absl::string_view content(text, static_cast<size_t>(size));
    if (KeyedNumber(content, key) == value) return absl::OkStatus();
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    if (left <= 0) return CgroupTimeout(dir_.path(), complaint);
    // The kernel raises POLLPRI on every change of the file.
    pollfd entry = {fd.get(), POLLPRI, 0};
    (void)poll(&entry, 1, static_cast<int>(std::min<int64_t>(left, 1000)));
  }
}

absl::Status CgroupV2::SetFrozen(bool frozen) {
  CK_RETURN_IF_ERROR(dir_.Write("cgroup.freeze", frozen ? "1" : "0"));
  absl::Status status =
      WaitEvent("frozen", frozen ? 1 : 0, absl::Now() + kCgroupFreezeTimeout,
                frozen ? "cgroup does not freeze" : "cgroup does not thaw");
  if (status.ok() || !frozen) return status;
  return FirstError(status, dir_.Write("cgroup.freeze", "0"));
}

absl::StatusOr<bool> CgroupV2::Frozen() {
  CK_ASSIGN_OR_RETURN(const std::string text, dir_.Read("cgroup.freeze"));
  return absl::StripAsciiWhitespace(text) == "1";
}

void CgroupV2::KillOnce() {
  // Since 5.14, and complete; otherwise as often as it takes.
  if (dir_.Write("cgroup.kill", "1").ok()) return;
  KillPids(dir_.Processes());
}

absl::Status CgroupV2::KillAll(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  CgroupBackoff backoff(deadline);
  for (;;) {
    KillOnce();
    const absl::Status gone =
        WaitEvent("populated", 0,
                  std::min(deadline, absl::Now() + absl::Milliseconds(200)),
                  "processes survive");
    if (gone.ok() || absl::IsNotFound(gone)) return absl::OkStatus();
    if (!backoff.Wait()) return gone;
  }
}

std::string CgroupV2::OomPath() const {
  return dir_.Read("memory.events").ok()
             ? absl::StrCat(dir_.path(), "/memory.events")
             : "";
}

}  // namespace

std::unique_ptr<Cgroup> MakeCgroupV2(CgroupDir directory) {
  return std::make_unique<CgroupV2>(std::move(directory));
}

}  // namespace containerkit::sys
