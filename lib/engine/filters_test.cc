#include "lib/engine/filters.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/testing/matchers.h"

namespace containerkit::engine {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

absl::Time At(int second) { return absl::FromUnixSeconds(1700000000 + second); }

std::string ImageId(char digit) { return "sha256:" + std::string(64, digit); }

ContainerInfo Container(int age, const std::string& name, ContainerState state,
                        int code = 0) {
  ContainerInfo info;
  info.id = std::string(1, static_cast<char>('a' + age)) + std::string(63, '0');
  info.name = name;
  info.state = state;
  info.exit.code = code;
  info.created = At(age);
  if (state != ContainerState::kCreated) info.started = At(age);
  info.image_id = ImageId('1');
  info.image = "debian";
  return info;
}

std::vector<ContainerInfo> Containers() {
  std::vector<ContainerInfo> all = {
      Container(0, "web", ContainerState::kRunning),
      Container(1, "web-2", ContainerState::kExited, 3),
      Container(2, "db", ContainerState::kPaused),
      Container(3, "new", ContainerState::kCreated),
      Container(4, "done", ContainerState::kExited, 0),
  };
  all[0].labels = {{"app", "shop"}, {"tier", "front"}};
  all[0].health = HealthState::kHealthy;
  all[2].labels = {{"app", "shop"}};
  all[2].image_id = ImageId('2');
  all[2].image = "postgres:15";
  all[4].image_id = ImageId('3');
  all[4].image = "gone:1";
  return all;
}

FilterFacts Facts() {
  const std::vector<ContainerInfo> all = Containers();
  return {.images = {{ImageId('1'),
                      {{"debian:latest", "debian:12"}, {ImageId('1')}}},
                     {ImageId('2'),
                      {{"postgres:15"}, {ImageId('2'), ImageId('1')}}}},
          .places = {{all[0].id, {{"host"}, {"/srv", "/data"}}},
                     {all[2].id, {{"none"}, {"/data"}}},
                     {all[3].id, {}}}};
}

std::vector<std::string> List(const ContainerListOptions& options) {
  const auto listed = FilterContainers(Containers(), options, Facts());
  EXPECT_THAT(listed, IsOk());
  std::vector<std::string> names;
  if (!listed.ok()) return names;
  for (const ContainerInfo& info : *listed) names.push_back(info.name);
  return names;
}

TEST(ContainerFilterTest, ListsWhatRunsNewestFirst) {
  EXPECT_THAT(List({}), ElementsAre("db", "web"));
  EXPECT_THAT(List({.all = true}),
              ElementsAre("done", "new", "db", "web-2", "web"));
  EXPECT_THAT(List({.limit = 2}), ElementsAre("done", "new"));
}

TEST(ContainerFilterTest, NamesAndIds) {
  EXPECT_THAT(List({.all = true, .filters = {{"name", "web"}}}),
              ElementsAre("web-2", "web"));
  EXPECT_THAT(List({.all = true, .filters = {{"name", "^/web$"}}}),
              ElementsAre("web"));
  EXPECT_THAT(List({.all = true, .filters = {{"name", "^web$"}}}),
              ElementsAre("web"));
  EXPECT_THAT(List({.all = true, .filters = {{"name", "^db|^new"}}}),
              ElementsAre("new", "db"));
  EXPECT_THAT(List({.all = true, .filters = {{"name", "("}}}), IsEmpty());
  EXPECT_THAT(List({.all = true, .filters = {{"id", "a00"}, {"id", "c0"}}}),
              ElementsAre("db", "web"));
  EXPECT_THAT(List({.all = true, .filters = {{"id", "a00"}, {"name", "db"}}}),
              IsEmpty());
}

TEST(ContainerFilterTest, StatesAndExitCodes) {
  EXPECT_THAT(List({.filters = {{"status", "exited"}}}),
              ElementsAre("done", "web-2"));
  EXPECT_THAT(List({.filters = {{"status", "paused"}, {"status", "created"}}}),
              ElementsAre("new", "db"));
  EXPECT_THAT(List({.all = true, .filters = {{"exited", "0"}}}),
              ElementsAre("done"));
  EXPECT_THAT(List({.all = true, .filters = {{"exited", "3"}}}),
              ElementsAre("web-2"));
  EXPECT_THAT(List({.filters = {{"exited", "3"}}}), IsEmpty());
  EXPECT_THAT(List({.filters = {{"health", "healthy"}}}), ElementsAre("web"));
  EXPECT_THAT(List({.filters = {{"health", "none"}}}), ElementsAre("db"));
  EXPECT_THAT(List({.filters = {{"is-task", "true"}}}), IsEmpty());
  EXPECT_THAT(List({.filters = {{"is-task", "0"}}}).size(), 2);
}

TEST(ContainerFilterTest, LabelsMustAllBeThere) {
  EXPECT_THAT(List({.filters = {{"label", "app"}}}), ElementsAre("db", "web"));
  EXPECT_THAT(List({.filters = {{"label", "app=shop"}, {"label", "tier"}}}),
              ElementsAre("web"));
  EXPECT_THAT(List({.filters = {{"label", "app=other"}}}), IsEmpty());
}

TEST(ContainerFilterTest, BeforeAndSince) {
  EXPECT_THAT(List({.all = true, .filters = {{"before", "db"}}}),
              ElementsAre("web-2", "web"));
  EXPECT_THAT(List({.all = true, .filters = {{"since", "c000"}}}),
              ElementsAre("done", "new"));
  EXPECT_THAT(
      FilterContainers(Containers(), {.filters = {{"before", "nobody"}}}, {}),
      StatusIs(absl::StatusCode::kNotFound, Reason::kContainerNotFound));
}

TEST(ContainerFilterTest, Ancestors) {
  const auto list = [](const std::string& value) {
    return List({.all = true, .filters = {{"ancestor", value}}});
  };
  EXPECT_THAT(list("debian"), ElementsAre("new", "db", "web-2", "web"));
  EXPECT_THAT(list("docker.io/library/debian:12").size(), 4);
  EXPECT_THAT(list(ImageId('2')), ElementsAre("db"));
  EXPECT_THAT(list("2222"), ElementsAre("db"));
  EXPECT_THAT(list("postgres:15"), ElementsAre("db"));
  EXPECT_THAT(list("postgres"), IsEmpty());
  EXPECT_THAT(list("gone:1"), ElementsAre("done"));
}

TEST(ContainerFilterTest, NetworksAndVolumes) {
  const auto list = [](const Filters& filters) {
    return List({.all = true, .filters = filters});
  };
  EXPECT_THAT(list({{"network", "host"}}), ElementsAre("web"));
  EXPECT_THAT(list({{"network", "host"}, {"network", "none"}}),
              ElementsAre("db", "web"));
  EXPECT_THAT(list({{"network", "hos"}}), IsEmpty());
  EXPECT_THAT(list({{"volume", "/data"}}), ElementsAre("db", "web"));
  EXPECT_THAT(list({{"volume", "/srv"}}), ElementsAre("web"));
  EXPECT_THAT(list({{"volume", "/dat"}}), IsEmpty());
  EXPECT_THAT(list({{"volume", "/srv"}, {"network", "none"}}), IsEmpty());
}

TEST(ContainerFilterTest, WrongFiltersAreErrors) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"colour", "red"},
                                                        {"status", "asleep"},
                                                        {"exited", "x"},
                                                        {"health", "fine"},
                                                        {"is-task", "maybe"}}) {
    EXPECT_THAT(FilterContainers({}, {.filters = {{name, value}}}, {}),
                StatusIs(kInvalid, Reason::kInvalidArgument))
        << name;
  }
  EXPECT_THAT(
      FilterContainers({}, {.filters = {{"publish", "80"}}}, {}),
      StatusIs(absl::StatusCode::kUnimplemented, Reason::kUnsupportedOption));
}

std::vector<ImageSummary> Images() {
  return {
      {.id = ImageId('1'),
       .repo_tags = {"debian:latest", "debian:12"},
       .repo_digests = {"debian@" + ImageId('a')},
       .created = At(0),
       .labels = {{"k", "v"}}},
      {.id = ImageId('2'), .created = At(100)},
      {.id = ImageId('3'), .repo_tags = {"quay.io/a/b:1"}, .created = At(200)},
  };
}

std::vector<std::string> ListImages(const ImageListOptions& options) {
  const auto listed = FilterImages(Images(), options, At(300));
  EXPECT_THAT(listed, IsOk());
  std::vector<std::string> ids;
  if (!listed.ok()) return ids;
  for (const ImageSummary& image : *listed)
    ids.push_back(image.id.substr(7, 1));
  return ids;
}

TEST(ImageFilterTest, NewestFirst) {
  EXPECT_THAT(ListImages({}), ElementsAre("3", "2", "1"));
}

TEST(ImageFilterTest, DanglingLabelBeforeSinceUntil) {
  EXPECT_THAT(ListImages({.filters = {{"dangling", "true"}}}),
              ElementsAre("2"));
  EXPECT_THAT(ListImages({.filters = {{"dangling", "false"}}}),
              ElementsAre("3", "1"));
  EXPECT_THAT(ListImages({.filters = {{"label", "k=v"}}}), ElementsAre("1"));
  EXPECT_THAT(ListImages({.filters = {{"before", "2222"}}}), ElementsAre("1"));
  EXPECT_THAT(ListImages({.filters = {{"since", "debian"}}}),
              ElementsAre("3", "2"));
  EXPECT_THAT(ListImages({.filters = {{"until", "150s"}}}),
              ElementsAre("2", "1"));
  EXPECT_THAT(ListImages({.filters = {{"until", "1700000050"}}}),
              ElementsAre("1"));
  EXPECT_THAT(ListImages({.filters = {{"until", "2023-11-14"}}}), IsEmpty());
  EXPECT_THAT(ListImages({.filters = {{"until", "2023-11-14T22:15:10"}}}),
              ElementsAre("2", "1"));
}

TEST(ImageFilterTest, ReferencesAreGlobsAndKeepOnlyWhatMatches) {
  EXPECT_THAT(ListImages({.filters = {{"reference", "debian"}}}),
              ElementsAre("1"));
  EXPECT_THAT(ListImages({.filters = {{"reference", "deb*:12"}}}),
              ElementsAre("1"));
  EXPECT_THAT(ListImages({.filters = {{"reference", "*"}}}), ElementsAre("1"));
  EXPECT_THAT(ListImages({.filters = {{"reference", "*/*/*"}}}),
              ElementsAre("3"));
  const auto listed = FilterImages(
      Images(), {.filters = {{"reference", "debian:1?"}}}, At(300));
  ASSERT_THAT(listed, IsOk());
  ASSERT_EQ(listed->size(), 1);
  EXPECT_THAT((*listed)[0].repo_tags, ElementsAre("debian:12"));
  EXPECT_THAT((*listed)[0].repo_digests, IsEmpty());
}

TEST(ImageFilterTest, WrongFiltersAreErrors) {
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{
           {"colour", "red"}, {"dangling", "x"}, {"until", "soon"}}) {
    EXPECT_THAT(FilterImages({}, {.filters = {{name, value}}}, At(0)),
                StatusIs(kInvalid, Reason::kInvalidArgument))
        << name;
  }
  EXPECT_THAT(FilterImages({}, {.filters = {{"since", "none"}}}, At(0)),
              StatusIs(absl::StatusCode::kNotFound, Reason::kImageNotFound));
}

}  // namespace
}  // namespace containerkit::engine
