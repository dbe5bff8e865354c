#include "examples/oci-runtime/resources.h"

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace ck_oci {
namespace {

// Collects the members of one object.
class Object {
 public:
  void Number(absl::string_view flag, absl::string_view key,
              const std::string& text, absl::Status* status) {
    if (text.empty()) return;
    int64_t value = 0;
    if (!absl::SimpleAtoi(text, &value)) {
      *status = absl::InvalidArgumentError(
          absl::StrCat("--", flag, " is no number: \"", text, "\""));
      return;
    }
    Raw(key, absl::StrCat(value));
  }
  void Bytes(absl::string_view flag, absl::string_view key,
             const std::string& text, absl::Status* status) {
    if (text.empty()) return;
    const absl::StatusOr<int64_t> value = ParseBytes(text);
    if (!value.ok()) {
      *status = absl::InvalidArgumentError(
          absl::StrCat("--", flag, ": ", value.status().message()));
      return;
    }
    Raw(key, absl::StrCat(*value));
  }
  // Sets of numbers: nothing in them needs an escape.
  void Set(absl::string_view flag, absl::string_view key,
           const std::string& text, absl::Status* status) {
    if (text.empty()) return;
    if (text.find_first_not_of("0123456789,- ") != std::string::npos) {
      *status = absl::InvalidArgumentError(
          absl::StrCat("--", flag, " is no set of numbers: \"", text, "\""));
      return;
    }
    Raw(key, absl::StrCat("\"", text, "\""));
  }
  void Raw(absl::string_view key, absl::string_view json) {
    members_.push_back(absl::StrCat("\"", key, "\":", json));
  }
  bool empty() const { return members_.empty(); }
  std::string Json() const {
    return absl::StrCat("{", absl::StrJoin(members_, ","), "}");
  }

 private:
  std::vector<std::string> members_;
};

}  // namespace

absl::StatusOr<int64_t> ParseBytes(absl::string_view text) {
  const auto bad = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("invalid size \"", text, "\""));
  };
  if (text == "-1") return -1;
  const size_t digits = text.find_first_not_of("0123456789.");
  const std::string unit =
      digits == absl::string_view::npos
          ? ""
          : absl::AsciiStrToLower(
                absl::StripAsciiWhitespace(text.substr(digits)));
  double value = 0;
  if (!absl::SimpleAtod(text.substr(0, digits), &value)) return bad();
  constexpr absl::string_view kUnits = "bkmgtp";
  int shift = 0;
  if (!unit.empty()) {
    const size_t index = kUnits.find(unit[0]);
    const absl::string_view rest = absl::string_view(unit).substr(1);
    if (index == absl::string_view::npos ||
        !(rest.empty() || (index > 0 && (rest == "b" || rest == "ib")))) {
      return bad();
    }
    shift = static_cast<int>(index) * 10;
  }
  value *= static_cast<double>(int64_t{1} << shift);
  if (value >= 9.2e18) return bad();
  return static_cast<int64_t>(value);
}

absl::StatusOr<std::string> ResourcesJson(const ResourceFlags& flags) {
  absl::Status status;
  Object memory, cpu, pids, block_io, all;
  memory.Bytes("memory", "limit", flags.memory, &status);
  memory.Bytes("memory-reservation", "reservation", flags.memory_reservation,
               &status);
  memory.Bytes("memory-swap", "swap", flags.memory_swap, &status);
  memory.Bytes("kernel-memory", "kernel", flags.kernel_memory, &status);
  memory.Bytes("kernel-memory-tcp", "kernelTCP", flags.kernel_memory_tcp,
               &status);
  cpu.Number("cpu-share", "shares", flags.cpu_shares, &status);
  cpu.Number("cpu-quota", "quota", flags.cpu_quota, &status);
  cpu.Number("cpu-burst", "burst", flags.cpu_burst, &status);
  cpu.Number("cpu-period", "period", flags.cpu_period, &status);
  cpu.Number("cpu-rt-runtime", "realtimeRuntime", flags.cpu_rt_runtime,
             &status);
  cpu.Number("cpu-rt-period", "realtimePeriod", flags.cpu_rt_period, &status);
  cpu.Number("cpu-idle", "idle", flags.cpu_idle, &status);
  cpu.Set("cpuset-cpus", "cpus", flags.cpuset_cpus, &status);
  cpu.Set("cpuset-mems", "mems", flags.cpuset_mems, &status);
  pids.Number("pids-limit", "limit", flags.pids_limit, &status);
  block_io.Number("blkio-weight", "weight", flags.blkio_weight, &status);
  if (!status.ok()) return status;
  const std::pair<const char*, const Object*> parts[] = {
      {"memory", &memory},
      {"cpu", &cpu},
      {"pids", &pids},
      {"blockIO", &block_io}};
  for (const auto& [key, object] : parts) {
    if (!object->empty()) all.Raw(key, object->Json());
  }
  return all.Json();
}

}  // namespace ck_oci
