#include "examples/cli/image_rows.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;

const absl::Time kNow = absl::FromUnixSeconds(1700000000);

ImageSummary Image() {
  ImageSummary image;
  image.id = "sha256:" + std::string(64, 'c');
  image.repo_tags = {"alpine:3", "host:5000/a/b:latest"};
  image.repo_digests = {"alpine@sha256:dd"};
  image.created = kNow - absl::Hours(24 * 15);
  image.size_bytes = 7797760;
  return image;
}

std::string Table(const ListSpec& spec, const std::vector<Json>& rows) {
  const auto text = FormatList(spec, "", rows);
  return text.ok() ? *text : std::string(text.status().message());
}

TEST(ImageRowsTest, OneRowAName) {
  EXPECT_EQ(Table(ImageListSpec(), ImageRows(Image(), false, true, kNow)),
            "REPOSITORY      TAG       IMAGE ID       CREATED       SIZE\n"
            "alpine          3         cccccccccccc   2 weeks ago   7.8MB\n"
            "host:5000/a/b   latest    cccccccccccc   2 weeks ago   7.8MB\n");
}

TEST(ImageRowsTest, Digests) {
  const std::vector<Json> rows = ImageRows(Image(), true, false, kNow);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]["Digest"], "sha256:dd");
  EXPECT_EQ(rows[0]["ID"], Image().id);
  EXPECT_EQ(rows[1]["Digest"], "<none>");
}

TEST(ImageRowsTest, NamelessImages) {
  ImageSummary image = Image();
  image.repo_tags.clear();
  std::vector<Json> rows = ImageRows(image, false, true, kNow);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["Repository"], "alpine");
  EXPECT_EQ(rows[0]["Tag"], "<none>");
  image.repo_digests.clear();
  rows = ImageRows(image, false, true, kNow);
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0]["Repository"], "<none>");
}

TEST(ImageRowsTest, History) {
  ImageHistoryEntry entry;
  entry.created = kNow - absl::Hours(3);
  entry.created_by = "/bin/sh -c #(nop)  CMD [\"/bin/sh\"]\tand more and more";
  entry.size_bytes = 5;
  const HistoryRowOptions options = {.image_id = Image().id, .now = kNow};
  EXPECT_EQ(Table(HistoryListSpec(), {HistoryRow(entry, true, options),
                                      HistoryRow(entry, false, options)}),
            "IMAGE          CREATED       CREATED BY                          "
            "            SIZE      COMMENT\n"
            "cccccccccccc   3 hours ago   /bin/sh -c #(nop)  CMD "
            "[\"/bin/sh\"] and more …   5B        \n"
            "<missing>      3 hours ago   /bin/sh -c #(nop)  CMD "
            "[\"/bin/sh\"] and more …   5B        \n");
  const HistoryRowOptions raw = {
      .image_id = Image().id, .human = false, .truncate = false, .now = kNow};
  const Json row = HistoryRow(entry, true, raw);
  EXPECT_EQ(row["ID"], Image().id);
  EXPECT_EQ(row["Size"], "5");
  EXPECT_EQ(row["CreatedSince"], row["CreatedAt"]);
}

}  // namespace
}  // namespace containerkit::cli
