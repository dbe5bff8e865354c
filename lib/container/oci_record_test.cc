#include "lib/container/oci_record.h"

#include <string>

#include "gtest/gtest.h"
#include "lib/base/json.h"
#include "lib/testing/matchers.h"
#include "nlohmann/json.hpp"

namespace containerkit::container {
namespace {

using ::containerkit::testing::StatusIs;

OciRecord Example() {
  OciRecord record;
  record.id = "web-1";
  record.oci_version = "1.0.2";
  record.bundle = "/b/\"quoted\"";
  record.rootfs = "/b/rootfs";
  record.pid = 4711;
  record.pid_start_ticks = 99887766;
  record.created = absl::FromUnixMillis(1700000000123);
  record.owner_uid = 1000;
  record.pid_private = true;
  record.late_hooks = true;
  record.annotations = {{"a", "1"}, {"b", ""}};
  record.cgroup = {{.controllers = {"cpu", "cpuacct"},
                    .path = "/sys/fs/cgroup/cpu/x",
                    .mount_point = "/sys/fs/cgroup/cpu"},
                   {.path = "/sys/fs/cgroup/unified/x",
                    .mount_point = "/sys/fs/cgroup/unified",
                    .v2 = true}};
  return record;
}

TEST(OciRecordTest, SurvivesARoundTrip) {
  CK_ASSERT_OK_AND_ASSIGN(const OciRecord read,
                          DecodeOciRecord(EncodeOciRecord(Example())));
  EXPECT_EQ(read, Example());
}

TEST(OciRecordTest, RefusesWhatIsNoRecord) {
  for (const char* text : {"", "[]", "{\"id\":1}", "{\"id\":\"x\"}"}) {
    EXPECT_THAT(
        DecodeOciRecord(text),
        StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidJson))
        << text;
  }
}

TEST(OciRecordTest, HookDocumentIsWholeWithThePidBetweenItsParts) {
  const OciStateDocument document = HookStateDocument(Example(), "creating");
  const nlohmann::json json =
      nlohmann::json::parse(document.head + "4711" + document.tail);
  EXPECT_EQ(json["ociVersion"], "1.0.2");
  EXPECT_EQ(json["id"], "web-1");
  EXPECT_EQ(json["status"], "creating");
  EXPECT_EQ(json["pid"], 4711);
  EXPECT_EQ(json["bundle"], "/b/\"quoted\"");
  EXPECT_EQ(json["annotations"]["a"], "1");
}

TEST(OciRecordTest, StateDocumentHasRuncsMembers) {
  const nlohmann::json json = nlohmann::json::parse(
      StateDocument(Example(), "running", 4711, "builder"));
  EXPECT_EQ(json["pid"], 4711);
  EXPECT_EQ(json["status"], "running");
  EXPECT_EQ(json["rootfs"], "/b/rootfs");
  EXPECT_EQ(json["created"], "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(json["owner"], "builder");
}

TEST(OciRecordTest, StateDocumentWithoutAnnotationsLeavesThemOut) {
  OciRecord record = Example();
  record.annotations.clear();
  EXPECT_FALSE(nlohmann::json::parse(StateDocument(record, "stopped", 0, ""))
                   .contains("annotations"));
}

}  // namespace
}  // namespace containerkit::container
