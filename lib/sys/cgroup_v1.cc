// Cgroup over v1 hierarchies.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <optional>
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
#include "lib/sys/cgroup.h"
#include "lib/sys/cgroup_files.h"
#include "lib/sys/cgroup_internal.h"
#include "lib/sys/cgroup_translate.h"

namespace containerkit::sys {
namespace {

// Limits at or above this are the kernel's way to say "none".
constexpr uint64_t kUnlimitedBytes = uint64_t{1} << 60;
// cpuacct.stat counts in USER_HZ.
constexpr uint64_t kNanosPerTick = 10000000;

class CgroupV1 final : public Cgroup {
 public:
  CgroupV1(std::vector<CgroupV1Dir> directories, std::vector<CgroupDir> unified)
      : directories_(std::move(directories)), unified_(std::move(unified)) {}

  absl::StatusOr<CgroupStats> Stats() override;
  absl::Status Update(const CgroupResources& resources) override;
  absl::Status Freeze() override;
  absl::Status Thaw() override;
  absl::StatusOr<bool> Frozen() override;
  absl::Status KillAll(absl::Duration timeout) override;
  absl::StatusOr<std::vector<pid_t>> Processes() override;
  absl::Status Remove() override;
  std::string OomPath() const override;

 private:
  const CgroupDir* Find(absl::string_view controller) const {
    for (const CgroupV1Dir& directory : directories_) {
      const auto& names = directory.controllers;
      if (std::find(names.begin(), names.end(), controller) != names.end()) {
        return &directory.dir;
      }
    }
    return nullptr;
  }
  // Processes of all hierarchies: one that left some of them is still ours.
  std::vector<pid_t> AllPids() const;
  void BringHome(const CgroupDir& freezer,
                 const std::vector<pid_t>& pids) const;
  absl::StatusOr<std::string> FreezerState() const;
  absl::Status WaitState(absl::string_view state) const;
  absl::Status WriteMemory(const std::vector<CgroupWrite>& writes) const;

  const std::vector<CgroupV1Dir> directories_;
  const std::vector<CgroupDir> unified_;
};

void ReadCpu(const CgroupDir* cpuacct, const CgroupDir* cpu, CgroupStats& out) {
  if (cpuacct != nullptr) {
    out.cpu_usage_ns = cpuacct->Number("cpuacct.usage").value_or(0);
    const std::string stat = cpuacct->Read("cpuacct.stat").value_or("");
    out.cpu_user_ns = KeyedNumber(stat, "user") * kNanosPerTick;
    out.cpu_system_ns = KeyedNumber(stat, "system") * kNanosPerTick;
  }
  if (cpu != nullptr) {
    const std::string stat = cpu->Read("cpu.stat").value_or("");
    out.cpu_periods = KeyedNumber(stat, "nr_periods");
    out.cpu_throttled_periods = KeyedNumber(stat, "nr_throttled");
    out.cpu_throttled_ns = KeyedNumber(stat, "throttled_time");
  }
}

void ReadMemory(const CgroupDir* memory, CgroupStats& out) {
  if (memory == nullptr) return;
  const std::string stat = memory->Read("memory.stat").value_or("");
  out.memory_cache_bytes = KeyedNumber(stat, "total_cache");
  out.memory_inactive_file_bytes = KeyedNumber(stat, "total_inactive_file");
  const uint64_t usage = memory->Number("memory.usage_in_bytes").value_or(0);
  out.memory_raw_usage_bytes = usage;
  out.memory_usage_bytes =
      usage - std::min(usage, out.memory_inactive_file_bytes);
  out.memory_max_usage_bytes =
      memory->Number("memory.max_usage_in_bytes").value_or(0);
  const uint64_t limit = memory->Number("memory.limit_in_bytes").value_or(0);
  out.memory_limit_bytes = limit >= kUnlimitedBytes ? 0 : limit;
  out.memory_fail_count = memory->Number("memory.failcnt").value_or(0);
  out.oom_kills =
      KeyedNumber(memory->Read("memory.oom_control").value_or(""), "oom_kill");
}

// Sums of lines "MAJOR:MINOR Read BYTES".
void ReadBlockIo(const CgroupDir* blkio, CgroupStats& out) {
  if (blkio == nullptr) return;
  // Which of them counts depends on the scheduler of the disk.
  for (const char* file : {"blkio.throttle.io_service_bytes_recursive",
                           "blkio.bfq.io_service_bytes_recursive"}) {
    const std::string text = blkio->Read(file).value_or("");
    uint64_t read = 0;
    uint64_t written = 0;
    for (absl::string_view line : absl::StrSplit(text, '\n')) {
      const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
      uint64_t bytes = 0;
      if (words.size() != 3 || !absl::SimpleAtoi(words[2], &bytes)) continue;
      if (words[1] == "Read") read += bytes;
      if (words[1] == "Write") written += bytes;
    }
    out.block_read_bytes = std::max(out.block_read_bytes, read);
    out.block_write_bytes = std::max(out.block_write_bytes, written);
  }
}

absl::StatusOr<CgroupStats> CgroupV1::Stats() {
  CgroupStats out;
  ReadCpu(Find("cpuacct"), Find("cpu"), out);
  ReadMemory(Find("memory"), out);
  ReadBlockIo(Find("blkio"), out);
  if (const CgroupDir* pids = Find("pids")) {
    // Gone with the cgroup, the one file that is never optional.
    CK_RETURN_IF_ERROR(pids->Read("pids.current").status());
    out.pids_current = pids->Number("pids.current").value_or(0);
    out.pids_limit = pids->Number("pids.max").value_or(0);
  }
  return out;
}

// The kernel wants memory <= memory+swap at every moment: which one has to go
// first depends on the present values.
absl::Status CgroupV1::WriteMemory(
    const std::vector<CgroupWrite>& writes) const {
  const CgroupDir* dir = Find("memory");
  const CgroupWrite* limit = nullptr;
  const CgroupWrite* swap = nullptr;
  for (const CgroupWrite& write : writes) {
    if (write.file == "memory.limit_in_bytes") limit = &write;
    if (write.file == "memory.memsw.limit_in_bytes") swap = &write;
  }
  if (limit != nullptr && dir != nullptr) {
    const absl::Status status = dir->Write(limit->file.c_str(), limit->value);
    if (status.ok()) {
      limit = nullptr;
    } else if (swap == nullptr) {
      return status;
    }
  }
  if (swap != nullptr && dir != nullptr) {
    CK_RETURN_IF_ERROR(dir->Write(swap->file.c_str(), swap->value));
  }
  if (limit != nullptr && dir != nullptr) {
    return dir->Write(limit->file.c_str(), limit->value);
  }
  return absl::OkStatus();
}

absl::Status CgroupV1::Update(const CgroupResources& resources) {
  CK_ASSIGN_OR_RETURN(const std::vector<CgroupWrite> writes,
                      CgroupV1Writes(resources));
  for (const CgroupWrite& write : writes) {
    if (!write.optional && Find(write.controller) == nullptr) {
      return CgroupControllerMissing(write.controller);
    }
  }
  const CgroupMemory& memory = resources.memory;
  if (memory.check_before_update.value_or(false) &&
      memory.limit_bytes.value_or(-1) > 0) {
    const uint64_t usage =
        Find("memory")->Number("memory.usage_in_bytes").value_or(0);
    if (usage > static_cast<uint64_t>(*memory.limit_bytes)) {
      return InvalidArgument(
          Reason::kInvalidArgument, "cgroup.update",
          absl::StrCat("memory limit below the present usage of ", usage));
    }
  }
  CK_RETURN_IF_ERROR(WriteMemory(writes));
  for (const CgroupWrite& write : writes) {
    if (write.file == "memory.limit_in_bytes" ||
        write.file == "memory.memsw.limit_in_bytes") {
      continue;
    }
    const CgroupDir* dir = Find(write.controller);
    if (dir == nullptr) continue;
    const absl::Status status = dir->Write(write.file.c_str(), write.value);
    if (!status.ok() && !write.optional) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CgroupV1::FreezerState() const {
  const CgroupDir* freezer = Find("freezer");
  if (freezer == nullptr) {
    return Unimplemented(Reason::kKernelUnsupported, "cgroup.freeze",
                         "no cgroup controller freezer");
  }
  CK_ASSIGN_OR_RETURN(const std::string text, freezer->Read("freezer.state"));
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::Status CgroupV1::WaitState(absl::string_view state) const {
  CgroupBackoff backoff(absl::Now() + kCgroupFreezeTimeout);
  for (;;) {
    CK_ASSIGN_OR_RETURN(const std::string now, FreezerState());
    if (now == state) return absl::OkStatus();
    if (!backoff.Wait()) {
      return CgroupTimeout(Find("freezer")->path(),
                           absl::StrCat("cgroup does not become ", state));
    }
    // A process forked meanwhile needs it to be said again.
    if (state == "FROZEN") {
      (void)Find("freezer")->Write("freezer.state", state);
    }
  }
}

absl::Status CgroupV1::Freeze() {
  CK_RETURN_IF_ERROR(FreezerState().status());
  const CgroupDir* freezer = Find("freezer");
  CK_RETURN_IF_ERROR(freezer->Write("freezer.state", "FROZEN"));
  absl::Status status = WaitState("FROZEN");
  if (status.ok()) return status;
  return FirstError(status, freezer->Write("freezer.state", "THAWED"));
}

absl::Status CgroupV1::Thaw() {
  CK_RETURN_IF_ERROR(FreezerState().status());
  CK_RETURN_IF_ERROR(Find("freezer")->Write("freezer.state", "THAWED"));
  return WaitState("THAWED");
}

absl::StatusOr<bool> CgroupV1::Frozen() {
  if (Find("freezer") == nullptr) return false;
  CK_ASSIGN_OR_RETURN(const std::string state, FreezerState());
  return state != "THAWED";
}

std::vector<pid_t> CgroupV1::AllPids() const {
  std::vector<pid_t> pids;
  for (const CgroupV1Dir& directory : directories_) {
    const std::vector<pid_t> here = directory.dir.Processes();
    pids.insert(pids.end(), here.begin(), here.end());
  }
  for (const CgroupDir& directory : unified_) {
    const std::vector<pid_t> here = directory.Processes();
    pids.insert(pids.end(), here.begin(), here.end());
  }
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

// Who is in another freezer may be frozen there, where SIGKILL waits for
// whoever lets it go.
void CgroupV1::BringHome(const CgroupDir& freezer,
                         const std::vector<pid_t>& pids) const {
  const std::vector<pid_t> here = freezer.Processes();
  for (const pid_t pid : pids) {
    if (std::binary_search(here.begin(), here.end(), pid)) continue;
    (void)freezer.Write("cgroup.procs", absl::StrCat(pid));
  }
}

absl::Status CgroupV1::KillAll(absl::Duration timeout) {
  CgroupBackoff backoff(absl::Now() + timeout);
  const CgroupDir* freezer = Find("freezer");
  for (;;) {
    std::vector<pid_t> pids = AllPids();
    // Killing a forking crowd is a race that only a freezer wins. A frozen
    // process takes its SIGKILL once it is let go, in every case.
    if (!pids.empty() && freezer != nullptr) {
      BringHome(*freezer, pids);
      (void)freezer->Write("freezer.state", "FROZEN");
      pids = AllPids();
    }
    KillPids(pids);
    if (freezer != nullptr) {
      (void)freezer->Write("freezer.state", "THAWED");
    }
    if (pids.empty()) return absl::OkStatus();
    if (!backoff.Wait()) {
      return CgroupTimeout(directories_[0].dir.path(),
                           absl::StrCat(pids.size(), " processes survive"));
    }
  }
}

absl::StatusOr<std::vector<pid_t>> CgroupV1::Processes() {
  // One hierarchy has them all, unless somebody moved some by hand.
  for (const char* controller : {"devices", "pids", "memory", "freezer"}) {
    if (const CgroupDir* dir = Find(controller)) return dir->Processes();
  }
  return AllPids();
}

absl::Status CgroupV1::Remove() {
  const absl::Time deadline = absl::Now() + kCgroupRemoveTimeout;
  absl::Status status;
  for (const CgroupV1Dir& directory : directories_) {
    status = FirstError(status, directory.dir.Remove(deadline));
  }
  for (const CgroupDir& directory : unified_) {
    status = FirstError(status, directory.Remove(deadline));
  }
  return status;
}

std::string CgroupV1::OomPath() const {
  const CgroupDir* memory = Find("memory");
  return memory == nullptr
             ? ""
             : absl::StrCat(memory->path(), "/memory.oom_control");
}

}  // namespace

std::unique_ptr<Cgroup> MakeCgroupV1(std::vector<CgroupV1Dir> directories,
                                     std::vector<CgroupDir> unified) {
  return std::make_unique<CgroupV1>(std::move(directories), std::move(unified));
}

}  // namespace containerkit::sys
