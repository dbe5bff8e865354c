#include "lib/container/oci_documents.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "lib/testing/matchers.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

using Json = nlohmann::json;

bool Has(const Json& list, const char* value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

TEST(OciDocumentsTest, FeaturesNameWhatTheSpecAsksFor) {
  const Json features = Json::parse(OciFeatures());
  EXPECT_EQ(features["ociVersionMin"], "1.0.0");
  EXPECT_EQ(features["ociVersionMax"], "1.2.0");
  EXPECT_EQ(features["hooks"].size(), 6);
  EXPECT_TRUE(Has(features["mountOptions"], "rro"));
  EXPECT_TRUE(Has(features["mountOptions"], "tmpcopyup"));
  EXPECT_TRUE(Has(features["mountOptions"], "ridmap"));
  const Json& linux_features = features["linux"];
  EXPECT_TRUE(Has(linux_features["namespaces"], "time"));
  EXPECT_EQ(linux_features["capabilities"].size(), 41);
  EXPECT_TRUE(Has(linux_features["seccomp"]["actions"], "SCMP_ACT_NOTIFY"));
  EXPECT_TRUE(Has(linux_features["seccomp"]["archs"], "SCMP_ARCH_X86_64"));
  EXPECT_EQ(linux_features["cgroup"]["systemd"], false);
  EXPECT_EQ(linux_features["mountExtensions"]["idmap"]["enabled"], true);
}

TEST(OciDocumentsTest, TheExampleIsAValidConfig) {
  for (const bool rootless : {false, true}) {
    const oci::RuntimeSpec spec = ExampleOciSpec(rootless, 1000, 1001);
    CK_ASSERT_OK_AND_ASSIGN(
        const oci::RuntimeSpec read,
        oci::ParseRuntimeSpec(oci::SerializeRuntimeSpec(spec)));
    EXPECT_EQ(read, spec);
  }
}

TEST(OciDocumentsTest, TheRootlessExampleMapsOneId) {
  const oci::RuntimeSpec spec = ExampleOciSpec(true, 1000, 1001);
  EXPECT_EQ(spec.linux_config.uid_mappings,
            (std::vector<oci::IdMapping>{{0, 1000, 1}}));
  EXPECT_EQ(spec.linux_config.gid_mappings,
            (std::vector<oci::IdMapping>{{0, 1001, 1}}));
  for (const oci::Mount& mount : spec.mounts) {
    EXPECT_NE(mount.type, "sysfs");
    EXPECT_NE(mount.type, "cgroup");
  }
}

}  // namespace
}  // namespace containerkit::container
