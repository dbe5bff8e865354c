#include "examples/cli/ps_columns.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

using Words = std::vector<std::string>;

TEST(PsColumnsTest, Defaults) {
  EXPECT_EQ(*PsColumns({}), Words());
  EXPECT_EQ(*PsColumns({"-ef"}), Words());
  EXPECT_EQ(*PsColumns({"-e", "-f"}), Words());
  EXPECT_EQ(PsColumns({"aux"})->size(), 11u);
}

TEST(PsColumnsTest, Lists) {
  EXPECT_EQ(*PsColumns({"-o", "pid,comm"}), Words({"pid", "comm"}));
  EXPECT_EQ(*PsColumns({"-eo", "pid=,comm"}), Words({"pid", "comm"}));
  EXPECT_EQ(*PsColumns({"-opid", "-ocmd"}), Words({"pid", "cmd"}));
}

TEST(PsColumnsTest, RefusesOthers) {
  EXPECT_EQ(PsColumns({"--forest"}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PsColumns({"-o"}).status().message(), "ps option -o needs a list");
}

}  // namespace
}  // namespace containerkit::cli
