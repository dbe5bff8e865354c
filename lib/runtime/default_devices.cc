#include "lib/runtime/default_devices.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "lib/oci/runtime_spec.h"
#include "lib/sys/cgroup_resources.h"

namespace containerkit::runtime {
namespace {

using Rule = sys::CgroupDeviceRule;

oci::Device CharDevice(absl::string_view path, int64_t major, int64_t minor) {
  oci::Device device;
  device.type = 'c';
  device.path = std::string(path);
  device.major = major;
  device.minor = minor;
  device.file_mode = 0666;
  return device;
}

Rule AllowChar(int64_t major, std::optional<int64_t> minor) {
  return {true, 'c', major, minor, "rwm"};
}

// mknod of anything is harmless: using the node is what is checked.
std::vector<Rule> AlwaysAllowed() {
  return {
      {true, 'c', std::nullopt, std::nullopt, "m"},
      {true, 'b', std::nullopt, std::nullopt, "m"},
      AllowChar(1, 3),               // null
      AllowChar(1, 5),               // zero
      AllowChar(1, 7),               // full
      AllowChar(1, 8),               // random
      AllowChar(1, 9),               // urandom
      AllowChar(5, 0),               // tty
      AllowChar(5, 1),               // console
      AllowChar(5, 2),               // ptmx
      AllowChar(136, std::nullopt),  // pts
  };
}

}  // namespace

const std::vector<oci::Device>& DefaultDevices() {
  static const std::vector<oci::Device>* const devices =
      new std::vector<oci::Device>{
          CharDevice("/dev/null", 1, 3),    CharDevice("/dev/zero", 1, 5),
          CharDevice("/dev/full", 1, 7),    CharDevice("/dev/random", 1, 8),
          CharDevice("/dev/urandom", 1, 9), CharDevice("/dev/tty", 5, 0),
      };
  return *devices;
}

const std::vector<Rule>& DefaultDeviceRules() {
  static const std::vector<Rule>* const rules =
      new std::vector<Rule>(EffectiveDeviceRules({}));
  return *rules;
}

std::vector<Rule> EffectiveDeviceRules(const std::vector<Rule>& spec_rules) {
  std::vector<Rule> out = {{false, 'a', std::nullopt, std::nullopt, "rwm"}};
  out.insert(out.end(), spec_rules.begin(), spec_rules.end());
  const std::vector<Rule> always = AlwaysAllowed();
  out.insert(out.end(), always.begin(), always.end());
  return out;
}

}  // namespace containerkit::runtime
