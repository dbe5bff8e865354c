#include "lib/runtime/capabilities.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::runtime {
namespace {

CapabilityMask Mask(const std::vector<std::string>& names) {
  const auto mask = ParseCapabilities(names);
  EXPECT_TRUE(mask.ok()) << mask.status();
  return mask.value_or(0);
}

TEST(CapabilitiesTest, DefaultsAreDockersFourteen) {
  EXPECT_EQ(CapabilityNames(kDefaultCapabilities),
            (std::vector<std::string>{
                "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
                "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
                "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SYS_CHROOT",
                "CAP_MKNOD", "CAP_AUDIT_WRITE", "CAP_SETFCAP"}));
}

TEST(CapabilitiesTest, NamesAndNumbersAreTheKernels) {
  EXPECT_EQ(CapabilityNumber("CAP_SYS_ADMIN"), 21);
  EXPECT_EQ(CapabilityNumber("sys_admin"), 21);
  EXPECT_EQ(CapabilityNumber("Cap_Bpf"), 39);
  EXPECT_EQ(CapabilityName(40), "CAP_CHECKPOINT_RESTORE");
  EXPECT_EQ(CapabilityName(41), "");
  EXPECT_EQ(CapabilityName(-1), "");
  EXPECT_FALSE(CapabilityNumber("CAP_").has_value());
  EXPECT_FALSE(CapabilityNumber("").has_value());
  EXPECT_EQ(Mask(CapabilityNames(kAllCapabilities)), kAllCapabilities);
}

TEST(CapabilitiesTest, SpecNamesAreExact) {
  for (const char* name : {"chown", "CAP_FLY", "", "cap_chown2"}) {
    const auto mask = ParseCapabilities({name});
    EXPECT_EQ(mask.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetReason(mask.status()), Reason::kCapabilityUnknown) << name;
  }
}

TEST(CapabilitiesTest, AddAndDropAsDocker) {
  const CapabilityMask base = Mask({"CAP_CHOWN", "CAP_KILL"});
  const CapabilityMask all = kAllCapabilities;
  const auto tweak = [&](std::vector<std::string> add,
                         std::vector<std::string> drop) {
    return *TweakCapabilities(base, all, add, drop);
  };
  EXPECT_EQ(tweak({}, {}), base);
  EXPECT_EQ(tweak({"net_admin"}, {"KILL"}),
            Mask({"CAP_CHOWN", "CAP_NET_ADMIN"}));
  EXPECT_EQ(tweak({"ALL"}, {}), all);
  EXPECT_EQ(tweak({"all"}, {"cap_sys_admin"}), all & ~Mask({"CAP_SYS_ADMIN"}));
  EXPECT_EQ(tweak({}, {"ALL"}), 0u);
  EXPECT_EQ(tweak({"CHOWN"}, {"ALL"}), Mask({"CAP_CHOWN"}));
  EXPECT_EQ(tweak({"CHOWN"}, {"CHOWN"}), base);
  EXPECT_EQ(GetReason(TweakCapabilities(base, all, {"fly"}, {}).status()),
            Reason::kCapabilityUnknown);
}

}  // namespace
}  // namespace containerkit::runtime
