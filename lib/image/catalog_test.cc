#include "lib/image/catalog.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/digest.h"
#include "lib/base/json.h"
#include "lib/base/status.h"
#include "lib/image/image_commit.h"
#include "lib/store/store_test_util.h"
#include "lib/testing/matchers.h"
#include "nlohmann/json.hpp"

namespace containerkit::image {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr auto kNotFound = absl::StatusCode::kNotFound;
constexpr auto kPrecondition = absl::StatusCode::kFailedPrecondition;
const std::string kDigestName =
    absl::StrCat("docker.io/library/a@sha256:", std::string(64, 'd'));

class CatalogTest : public store::StoreTest {
 protected:
  // An image without layers.
  std::string Add(const std::string& created,
                  const std::vector<std::string>& names,
                  const std::map<std::string, std::string>& labels = {}) {
    NewImage image;
    image.config.created = created;
    image.config.os = "linux";
    image.config.architecture = "amd64";
    image.config.config.labels = labels;
    image.config.config.exposed_ports = {"80/tcp"};
    image.config.config.cmd = {{"sh"}};
    image.config.history = {{.created = created, .created_by = "one"},
                            {.created_by = "two", .empty_layer = true}};
    image.config.history[0].empty_layer = true;
    const std::string bytes = oci::SerializeImageConfig(image.config);
    auto lease = store_->NewLease();
    EXPECT_THAT(lease, IsOk());
    EXPECT_THAT(store_->blobs().Put(*lease, bytes), IsOk());
    image.config_digest = Sha256::Of(bytes);
    image.names = names;
    const auto id = CommitImage(*store_, image);
    EXPECT_THAT(id, IsOk());
    return *id;
  }
  void AddContainer(const std::string& image_id) {
    ASSERT_THAT(store_->Transaction([&](store::Txn& txn) {
      return txn.InsertContainer(
          {.id = std::string(64, 'c'), .name = "box", .image_id = image_id});
    }),
                IsOk());
  }
  absl::StatusOr<std::string> Find(absl::string_view name) {
    FoundImage image;
    CK_RETURN_IF_ERROR(store_->Read([&](const store::Txn& txn) -> absl::Status {
      CK_ASSIGN_OR_RETURN(image, FindImage(txn, name));
      return absl::OkStatus();
    }));
    return image.record.id();
  }
  std::vector<std::string> ListIds(
      const std::multimap<std::string, std::string>& filters) {
    std::vector<std::string> ids;
    const auto images = ListImages(*store_, {.filters = filters});
    EXPECT_THAT(images, IsOk());
    for (const ImageSummary& image : *images) ids.push_back(image.id);
    return ids;
  }
};

TEST_F(CatalogTest, FindsByNameIdAndPrefix) {
  const std::string id =
      Add("2024-01-01T00:00:00Z", {"docker.io/library/a:latest", kDigestName});
  for (const std::string& name :
       {std::string("a"), std::string("a:latest"),
        std::string("docker.io/library/a"), id, id.substr(7), id.substr(0, 19),
        id.substr(7, 12), absl::StrCat("a@sha256:", std::string(64, 'd')),
        absl::StrCat("a:zzz@sha256:", std::string(64, 'd'))}) {
    EXPECT_EQ(*Find(name), id) << name;
  }
  for (const std::string& name :
       {std::string("b"), std::string("a:2"), std::string(64, 'e'),
        absl::StrCat("sha256:", std::string(64, 'e')), std::string("sha256:ee"),
        absl::StrCat("a@sha256:", std::string(64, 'e'))}) {
    EXPECT_THAT(Find(name), StatusIs(kNotFound, Reason::kImageNotFound))
        << name;
  }
  EXPECT_THAT(Find("Bad Name"), StatusIs(absl::StatusCode::kInvalidArgument,
                                         Reason::kInvalidReference));
}

TEST_F(CatalogTest, RefusesAnAmbiguousPrefix) {
  // Seventeen images: two share their first digit.
  for (int i = 0; i < 17; ++i) Add(absl::StrCat("2024-01-01T00:00:0", i), {});
  bool ambiguous = false;
  for (const char c : std::string("0123456789abcdef")) {
    const absl::Status status =
        Find(absl::StrCat("sha256:", std::string(1, c))).status();
    ambiguous |= GetReason(status) == Reason::kImageAmbiguous;
  }
  EXPECT_TRUE(ambiguous);
}

TEST_F(CatalogTest, TagsAndUntags) {
  const std::string id =
      Add("2024-01-01T00:00:00Z", {"docker.io/library/a:1", kDigestName});
  ASSERT_THAT(TagImage(*store_, "a:1", "q.io/b:2"), IsOk());
  EXPECT_THAT(InspectImage(*store_, "q.io/b:2")->summary.repo_tags,
              ElementsAre("a:1", "q.io/b:2"));
  EXPECT_THAT(TagImage(*store_, "none", "x"),
              StatusIs(kNotFound, Reason::kImageNotFound));
  EXPECT_THAT(
      TagImage(*store_, "a:1", absl::StrCat("x@", id)),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidReference));
  // By one of several names only the name goes.
  auto removal = RemoveImage(*store_, "q.io/b:2", false);
  ASSERT_THAT(removal, IsOk());
  EXPECT_THAT(removal->untagged, ElementsAre("q.io/b:2"));
  EXPECT_THAT(removal->deleted, IsEmpty());
  // With the last tag the image goes, and its digest name with it.
  removal = RemoveImage(*store_, "a:1", false);
  ASSERT_THAT(removal, IsOk());
  EXPECT_EQ(removal->untagged.size(), 2);
  EXPECT_THAT(removal->deleted, ElementsAre(id));
  EXPECT_THAT(Find(id), StatusIs(kNotFound, Reason::kImageNotFound));
}

TEST_F(CatalogTest, RemovesByIdOnlyWithinOneRepository) {
  const std::string id =
      Add("2024-01-01T00:00:00Z", {"docker.io/library/a:1", "docker.io/x/b:1"});
  EXPECT_THAT(RemoveImage(*store_, id, false),
              StatusIs(kPrecondition, Reason::kImageInUse));
  const auto removal = RemoveImage(*store_, id, true);
  ASSERT_THAT(removal, IsOk());
  EXPECT_THAT(removal->untagged, UnorderedElementsAre("a:1", "x/b:1"));
  EXPECT_THAT(removal->deleted, ElementsAre(id));
  const std::string one =
      Add("2024-01-02T00:00:00Z",
          {"docker.io/library/a:1", "docker.io/library/a:2"});
  EXPECT_THAT(RemoveImage(*store_, one, false), IsOk());
}

TEST_F(CatalogTest, ImagesInUseStay) {
  const std::string id = Add("2024-01-01T00:00:00Z", {"docker.io/library/a:1",
                                                      "docker.io/library/a:2"});
  AddContainer(id);
  EXPECT_THAT(RemoveImage(*store_, "a:2", false), IsOk());
  const auto refused = RemoveImage(*store_, "a:1", false);
  EXPECT_THAT(refused, StatusIs(kPrecondition, Reason::kImageInUse));
  EXPECT_EQ(GetErrorDetail(refused.status())->object_id, std::string(64, 'c'));
  EXPECT_THAT(RemoveImage(*store_, id, false),
              StatusIs(kPrecondition, Reason::kImageInUse));
  EXPECT_EQ(*Find("a:1"), id);
  EXPECT_EQ(InspectImage(*store_, "a:1")->summary.containers, 1);
  EXPECT_THAT(RemoveImage(*store_, "a:1", true), IsOk());
  EXPECT_THAT(Find(id), StatusIs(kNotFound, Reason::kImageNotFound));
}

TEST_F(CatalogTest, ListsWithFilters) {
  const std::string a = Add("2024-01-01T00:00:00Z", {"docker.io/library/a:1"},
                            {{"k", "v"}, {"x", ""}});
  const std::string b = Add("2024-01-02T00:00:00Z", {"q.io/team/b:2"});
  const std::string c = Add("2024-01-03T00:00:00Z", {});
  EXPECT_THAT(ListIds({}), ElementsAre(c, b, a));
  EXPECT_THAT(ListIds({{"dangling", "true"}}), ElementsAre(c));
  EXPECT_THAT(ListIds({{"dangling", "false"}}), ElementsAre(b, a));
  EXPECT_THAT(ListIds({{"label", "k"}}), ElementsAre(a));
  EXPECT_THAT(ListIds({{"label", "k=v"}, {"label", "x="}}), ElementsAre(a));
  EXPECT_THAT(ListIds({{"label", "k=w"}}), IsEmpty());
  EXPECT_THAT(ListIds({{"reference", "a"}}), ElementsAre(a));
  EXPECT_THAT(ListIds({{"reference", "q.io/*/b"}, {"reference", "a:*"}}),
              ElementsAre(b, a));
  EXPECT_THAT(ListIds({{"reference", "q.io/b*"}}), IsEmpty());
  EXPECT_THAT(ListIds({{"before", "q.io/team/b:2"}}), ElementsAre(a));
  EXPECT_THAT(ListIds({{"since", "a:1"}}), ElementsAre(c, b));
  EXPECT_THAT(ListIds({{"until", "2024-01-02T12:00:00Z"}}), ElementsAre(b, a));
  for (const auto& [name, value] : std::multimap<std::string, std::string>{
           {"dangling", "x"}, {"until", "x"}, {"nope", "x"}}) {
    EXPECT_THAT(
        ListImages(*store_, {.filters = {{name, value}}}),
        StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument))
        << name;
  }
}

TEST_F(CatalogTest, InspectsInDockersShape) {
  const std::string id =
      Add("2024-01-01T00:00:00Z", {"docker.io/library/a:1", kDigestName},
          {{"k", "v"}});
  const auto info = InspectImage(*store_, "a:1");
  ASSERT_THAT(info, IsOk());
  const auto json = ParseJson(info->json);
  ASSERT_THAT(json, IsOk());
  EXPECT_EQ((*json)["Id"], id);
  EXPECT_EQ((*json)["RepoTags"], nlohmann::json::array({"a:1"}));
  EXPECT_EQ((*json)["RepoDigests"].size(), 1);
  EXPECT_EQ((*json)["Created"], "2024-01-01T00:00:00Z");
  EXPECT_EQ((*json)["Config"]["Cmd"], nlohmann::json::array({"sh"}));
  EXPECT_TRUE((*json)["Config"]["Entrypoint"].is_null());
  EXPECT_TRUE((*json)["Config"]["Env"].is_null());
  EXPECT_TRUE((*json)["Config"]["ExposedPorts"]["80/tcp"].is_object());
  EXPECT_EQ((*json)["Config"]["Labels"]["k"], "v");
  EXPECT_EQ((*json)["Architecture"], "amd64");
  EXPECT_EQ((*json)["Os"], "linux");
  EXPECT_EQ((*json)["Size"], 0);
  EXPECT_EQ((*json)["RootFS"]["Type"], "layers");
  EXPECT_TRUE((*json)["GraphDriver"]["Name"].is_string());
  EXPECT_NE((*json)["Metadata"]["LastTagTime"], "0001-01-01T00:00:00Z");
  const auto history = ImageHistoryOf(*store_, "a:1");
  ASSERT_EQ(history->size(), 2);
  EXPECT_EQ((*history)[0].created_by, "two");
  EXPECT_EQ((*history)[1].created_by, "one");
}

TEST_F(CatalogTest, PrunesWhatNobodyNeeds) {
  const std::string named =
      Add("2024-01-01T00:00:00Z", {"docker.io/library/a:1"});
  const std::string dangling = Add("2024-01-02T00:00:00Z", {});
  const std::string digest_only = Add("2024-01-03T00:00:00Z", {kDigestName});
  const std::string used = Add("2024-01-04T00:00:00Z", {});
  AddContainer(used);
  EXPECT_THAT(PruneImages(*store_, false, true)->deleted,
              UnorderedElementsAre(dangling, digest_only));
  EXPECT_EQ(ListIds({}).size(), 4);
  EXPECT_THAT(PruneImages(*store_, false, false)->deleted,
              UnorderedElementsAre(dangling, digest_only));
  const auto all = PruneImages(*store_, true, false);
  EXPECT_THAT(all->deleted, ElementsAre(named));
  EXPECT_THAT(all->untagged, ElementsAre("a:1"));
  EXPECT_THAT(ListIds({}), ElementsAre(used));
}

// Between the look at an image and the look at its config it may go.
TEST_F(CatalogTest, ConfigOfARemovedImageIsNoDamage) {
  const std::string id = Add("2024-01-01T00:00:00Z", {"docker.io/library/a:1"});
  FoundImage image;
  ASSERT_THAT(store_->Read([&](const store::Txn& txn) -> absl::Status {
    CK_ASSIGN_OR_RETURN(image, FindImage(txn, id));
    return absl::OkStatus();
  }),
              IsOk());
  EXPECT_THAT(ReadConfig(*store_, image.record), IsOk());
  const std::string blob = absl::StrCat(root(), "/blobs/sha256/", id.substr(7));
  ASSERT_EQ(unlink(blob.c_str()), 0);
  EXPECT_THAT(ReadConfig(*store_, image.record),
              StatusIs(kNotFound, Reason::kBlobNotFound));
  ASSERT_THAT(RemoveImage(*store_, id, /*force=*/false), IsOk());
  EXPECT_THAT(ReadConfig(*store_, image.record),
              StatusIs(kNotFound, Reason::kImageNotFound));
}

}  // namespace
}  // namespace containerkit::image
