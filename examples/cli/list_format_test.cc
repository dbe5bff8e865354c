#include "examples/cli/list_format.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

constexpr ListColumn kColumns[] = {{"ID", "CONTAINER ID"}, {"Name", "NAMES"}};
constexpr ListSpec kSpec = {kColumns, "{{.ID}}\t{{.Name}}",
                            "*formatter.ContainerContext"};

std::vector<Json> Rows() {
  return {{{"ID", "0123456789ab"},
           {"Name", "web"},
           {"LabelMap", {{"com.example.tier-1", "front"}}}},
          {{"ID", "ba9876543210"}, {"Name", "database"}}};
}

std::string Format(const std::string& format) {
  const auto text = FormatList(kSpec, format, Rows());
  return text.ok() ? *text : std::string(text.status().message());
}

TEST(ListFormatTest, DefaultTable) {
  EXPECT_EQ(Format(""),
            "CONTAINER ID   NAMES\n"
            "0123456789ab   web\n"
            "ba9876543210   database\n");
  EXPECT_EQ(Format("table"), Format(""));
}

TEST(ListFormatTest, TableOfATemplate) {
  EXPECT_EQ(Format("table {{.Name}}\\t{{upper .ID}}"),
            "NAMES      CONTAINER ID\n"
            "web        0123456789AB\n"
            "database   BA9876543210\n");
}

TEST(ListFormatTest, LabelsInTablesHaveTheLastPartAsHeading) {
  EXPECT_EQ(Format("table {{.Label \"com.example.tier-1\"}}\t{{.Name}}"),
            "tier 1    NAMES\n"
            "front     web\n"
            "          database\n");
}

TEST(ListFormatTest, JsonHasOneObjectALine) {
  EXPECT_EQ(Format("json"),
            "{\"ID\":\"0123456789ab\",\"Name\":\"web\"}\n"
            "{\"ID\":\"ba9876543210\",\"Name\":\"database\"}\n");
  EXPECT_EQ(Format("{{json .}}"), Format("json"));
}

TEST(ListFormatTest, CustomTemplate) {
  EXPECT_EQ(Format("{{.Name}}"), "web\ndatabase\n");
}

TEST(ListFormatTest, Errors) {
  EXPECT_EQ(Format("{{.Nope}}"),
            "failed to execute template: template: :1:2: executing \"\" at "
            "<.Nope>: can't evaluate field Nope in type "
            "*formatter.ContainerContext");
  EXPECT_EQ(Format("{{.Name"),
            "failed to parse template: template: :1: unclosed action");
}

TEST(ListFormatTest, AlignsRunesNotBytes) {
  EXPECT_EQ(AlignTabs("é\tx\nab\ty\n", 0, 1), "é  x\nab y\n");
}

TEST(ListFormatTest, AColumnEndsWhereItsCellsEnd) {
  EXPECT_EQ(AlignTabs("long cell\tx\nplain\nb\ty", 0, 1),
            "long cell x\nplain\nb y");
}

TEST(ListFormatTest, Ellipsis) {
  EXPECT_EQ(Ellipsis("short", 5), "short");
  EXPECT_EQ(Ellipsis("longer", 5), "long…");
  EXPECT_EQ(Ellipsis("ééééé", 3), "éé…");
}

TEST(ListFormatTest, Mentions) {
  EXPECT_TRUE(FormatMentions("table {{.Size}}", "Size"));
  EXPECT_TRUE(FormatMentions("json", "Size"));
  EXPECT_FALSE(FormatMentions("{{.ID}}", "Size"));
}

}  // namespace
}  // namespace containerkit::cli
