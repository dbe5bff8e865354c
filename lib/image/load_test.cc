// docker load and import: archives, well-formed and hostile.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/base/unique_fd.h"
#include "lib/image/image_service.h"
#include "lib/image/testing/image_maker.h"
#include "lib/oci/media_type.h"
#include "lib/oci/platform.h"
#include "lib/store/store_test_util.h"
#include "lib/sys/file_util.h"
#include "lib/testing/matchers.h"

namespace containerkit::image {
namespace {

using ::containerkit::testing::IsOk;
using ::containerkit::testing::StatusIs;
using testing::DockerArchiveMembers;
using ::testing::ElementsAre;
using testing::Gzip;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LayoutMembers;
using testing::MakeImage;
using testing::MakeTar;
using testing::TarMember;
using testing::TestImage;
using ::testing::UnorderedElementsAre;
using testing::Zstd;
using testing::ZstdLong;

class LoadTest : public store::StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    service_ =
        std::make_unique<ImageService>(store_.get(), ImageServiceOptions());
  }

  // A file with these bytes, read from the beginning.
  UniqueFd File(absl::string_view bytes) {
    UniqueFd fd(
        open(temp_.path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    EXPECT_THAT(sys::WriteAll(fd.get(), bytes), IsOk());
    lseek(fd.get(), 0, SEEK_SET);
    return fd;
  }
  absl::StatusOr<std::vector<std::string>> LoadBytes(
      absl::string_view bytes, const ImageLoadOptions& options = {}) {
    const UniqueFd fd = File(bytes);
    return service_->LoadFd(fd.get(), options);
  }
  absl::StatusOr<std::vector<std::string>> LoadMembers(
      const std::vector<TarMember>& members) {
    return LoadBytes(MakeTar(members));
  }
  void ExpectNothingVisible() {
    EXPECT_THAT(service_->List({}).value(), IsEmpty());
    EXPECT_THAT(List("tmp"), IsEmpty());
    EXPECT_THAT(List("ingest"), IsEmpty());
  }

  const TestImage a_ =
      MakeImage({{MakeTar({{"base", "b"}})}, {MakeTar({{"a", "1"}}), "zstd"}});
  const TestImage b_ =
      MakeImage({{MakeTar({{"base", "b"}})}, {MakeTar({{"b", "2"}}), ""}});
  std::unique_ptr<ImageService> service_;
};

TEST_F(LoadTest, LoadsADockerArchive) {
  const std::string tar =
      MakeTar(DockerArchiveMembers({{"a:1", a_}, {"", b_}}));
  EXPECT_THAT(*LoadBytes(tar), ElementsAre("a:1", b_.id()));
  EXPECT_EQ(service_->Inspect("a:1")->summary.id, a_.id());
  EXPECT_EQ(service_->Inspect("a:1")->summary.size_bytes, 2);
  EXPECT_THAT(service_->Inspect(b_.id())->summary.repo_tags, IsEmpty());
  // Once more changes nothing.
  EXPECT_THAT(*LoadBytes(tar), ElementsAre("a:1", b_.id()));
  EXPECT_EQ(service_->List({})->size(), 2);
  EXPECT_THAT(List("tmp"), IsEmpty());
}

TEST_F(LoadTest, LoadsAnOciArchiveInEveryCompression) {
  const std::string tar =
      MakeTar(LayoutMembers({{"docker.io/library/a:1", a_}, {"latest", b_}}));
  for (const std::string& bytes : {tar, Gzip(tar), Zstd(tar), ZstdLong(tar)}) {
    EXPECT_THAT(*LoadBytes(bytes), ElementsAre("a:1", b_.id()));
    EXPECT_THAT(service_->Remove(a_.id(), {}), IsOk());
  }
}

TEST_F(LoadTest, LoadsFromAPipe) {
  const std::string tar = MakeTar(LayoutMembers({{"a:1", a_}}));
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd in(fds[0]);
  std::thread writer([&] {
    const UniqueFd out(fds[1]);
    EXPECT_THAT(sys::WriteAll(out.get(), tar), IsOk());
  });
  EXPECT_THAT(*service_->LoadFd(in.get(), {}), ElementsAre("a:1"));
  writer.join();
  EXPECT_THAT(List("tmp"), IsEmpty());
}

TEST_F(LoadTest, LoadsAnOciLayoutDirectory) {
  const std::string dir = absl::StrCat(temp_.path(), "/layout");
  ASSERT_EQ(mkdir(dir.c_str(), 0700), 0);
  for (const TarMember& member : LayoutMembers({{"a:1", a_}})) {
    const std::string path = absl::StrCat(dir, "/", member.name);
    if (member.type == '5') {
      ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
      continue;
    }
    const UniqueFd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    ASSERT_THAT(sys::WriteAll(fd.get(), member.content), IsOk());
  }
  EXPECT_THAT(*service_->Load(dir, {}), ElementsAre("a:1"));
  EXPECT_THAT(service_->Load(absl::StrCat(dir, "/none"), {}),
              StatusIs(absl::StatusCode::kNotFound, Reason::kSystemCall));
  // A pipe or a link in the place of a blob.
  const std::string index = absl::StrCat(dir, "/index.json");
  ASSERT_EQ(unlink(index.c_str()), 0);
  ASSERT_EQ(mkfifo(index.c_str(), 0600), 0);
  EXPECT_THAT(
      service_->Load(dir, {}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kArchiveCorrupt));
}

TEST_F(LoadTest, TakesThePlatformOfThisMachine) {
  oci::ImageConfig arm;
  arm.architecture = "s390x";
  const TestImage other = MakeImage({{MakeTar({{"x", "y"}})}}, arm);
  oci::Index index;
  index.media_type = oci::kOciIndex;
  index.manifests = {other.manifest, a_.manifest};
  index.manifests[0].platform = oci::Platform{"linux", "s390x"};
  index.manifests[1].platform = oci::HostPlatform();
  index.manifests[1].annotations[oci::kRefNameAnnotation] = "a:1";
  std::vector<TarMember> members = LayoutMembers({{"", other}, {"", a_}});
  members.back().content = oci::SerializeIndex(index);
  EXPECT_THAT(*LoadMembers(members), ElementsAre("a:1"));
  EXPECT_EQ(service_->List({})->size(), 1);
}

TEST_F(LoadTest, FollowsLinksInsideTheArchive) {
  // As docker before 25 wrote a layer that two images share.
  std::vector<TarMember> members = DockerArchiveMembers({{"a:1", a_}});
  const auto layer = std::find_if(
      members.begin(), members.end(),
      [](const TarMember& m) { return absl::EndsWith(m.name, "/layer.tar"); });
  ASSERT_NE(layer, members.end());
  const std::string content = layer->content;
  *layer = {layer->name, "", '2', "../shared/layer.tar"};
  members.push_back({"shared/layer.tar", content});
  EXPECT_THAT(*LoadMembers(members), ElementsAre("a:1"));
}

// security.md I09.
TEST_F(LoadTest, RefusesHostileArchives) {
  const std::vector<TarMember> good = DockerArchiveMembers({{"a:1", a_}});
  const auto with_manifest = [&](const std::string& json) {
    std::vector<TarMember> members = good;
    members.back().content = json;
    return members;
  };
  const auto with = [&](const TarMember& member) {
    std::vector<TarMember> members = good;
    members.insert(members.begin(), member);
    return members;
  };
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  const struct {
    const char* what;
    std::vector<TarMember> members;
    absl::StatusCode code;
    Reason reason;
  } cases[] = {
      {"parent", with({"../evil", "x"}), kInvalid, Reason::kUnsafePath},
      {"deep parent", with({"a/../../evil", "x"}), kInvalid,
       Reason::kUnsafePath},
      {"absolute", with({"/etc/evil", "x"}), kInvalid, Reason::kUnsafePath},
      {"device", with({"null", "", '3'}), kInvalid,
       Reason::kArchiveEntryRefused},
      {"twice", with({"manifest.json", "[]"}), kInvalid,
       Reason::kArchiveEntryRefused},
      {"empty", {}, kInvalid, Reason::kArchiveCorrupt},
      {"config is elsewhere",
       with_manifest(
           R"([{"Config":"../../../etc/passwd","RepoTags":null,"Layers":[]}])"),
       kInvalid, Reason::kArchiveCorrupt},
      {"no config", with_manifest(R"([{"RepoTags":[],"Layers":[]}])"), kInvalid,
       Reason::kInvalidJson},
      {"wrong type", with_manifest(R"([{"Config":7}])"), kInvalid,
       Reason::kInvalidJson},
      {"not a list", with_manifest(R"({"Config":"x"})"), kInvalid,
       Reason::kInvalidJson},
      {"not JSON", with_manifest("x"), kInvalid, Reason::kInvalidJson},
      {"bad tag",
       with_manifest(absl::StrCat(R"([{"Config":")", a_.id().substr(7),
                                  R"(.json","RepoTags":["../../x"],)",
                                  R"("Layers":["a","b"]}])")),
       kInvalid, Reason::kInvalidReference},
      {"layers do not fit",
       with_manifest(absl::StrCat(R"([{"Config":")", a_.id().substr(7),
                                  R"(.json","Layers":["a"]}])")),
       kInvalid, Reason::kManifestInvalid},
      {"missing layer",
       with_manifest(absl::StrCat(R"([{"Config":")", a_.id().substr(7),
                                  R"(.json","Layers":["a","b"]}])")),
       kInvalid, Reason::kArchiveCorrupt},
      {"links to itself",
       {{"manifest.json", "", '2', "manifest.json"}},
       kInvalid,
       Reason::kArchiveCorrupt},
      {"links out",
       {{"manifest.json", "", '2', "../../etc/passwd"}},
       kInvalid,
       Reason::kArchiveCorrupt},
      {"huge manifest", with_manifest(std::string((1 << 20) + 1, ' ')),
       absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(LoadMembers(c.members), StatusIs(c.code, c.reason)) << c.what;
    ExpectNothingVisible();
  }
}

TEST_F(LoadTest, NamesAndLinksHaveALimit) {
  // A name of `size` bytes, with GNU tar's member for long ones before it.
  const auto with_long = [&](char type, size_t size) {
    std::vector<TarMember> members = DockerArchiveMembers({{"a:1", a_}});
    members.push_back({"././@LongLink", std::string(size, 'n'), type});
    members.push_back({"last", "", type == 'K' ? '2' : '0', "target"});
    return members;
  };
  for (const char type : {'L', 'K'}) {
    EXPECT_THAT(
        LoadMembers(with_long(type, 4096)),
        StatusIs(absl::StatusCode::kResourceExhausted, Reason::kLimitExceeded))
        << type;
    ExpectNothingVisible();
  }
  for (const char type : {'L', 'K'}) {
    EXPECT_THAT(LoadMembers(with_long(type, 4095)), IsOk()) << type;
  }
}

TEST_F(LoadTest, RefusesABomb) {
  // 300 MiB of zero bytes in about 10 KiB of zstd.
  const std::string bomb =
      Zstd(MakeTar({{"zeros", std::string(300 << 20, '\0')}}));
  ASSERT_LT(bomb.size(), 100u << 10);
  const absl::Status status = LoadBytes(bomb).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               Reason::kLimitExceeded));
  EXPECT_THAT(status.message(), HasSubstr("compressed more than 1100 times"));
  ExpectNothingVisible();
}

// security.md I07 for archives.
TEST_F(LoadTest, RefusesChangedBytes) {
  for (const char* which : {"config", "manifest", "layer"}) {
    std::vector<TarMember> members = LayoutMembers({{"a:1", a_}});
    const std::string digest = which[0] == 'c'
                                   ? Sha256::Of(a_.config_bytes).str()
                               : which[0] == 'm' ? a_.manifest.digest.str()
                                                 : a_.layers[1].digest.str();
    for (TarMember& member : members) {
      if (absl::EndsWith(member.name, digest.substr(7))) {
        member.content[member.content.size() / 2] ^= 1;
      }
    }
    const auto loaded = LoadMembers(members);
    ASSERT_FALSE(loaded.ok()) << which;
    EXPECT_EQ(loaded.status().code(), absl::StatusCode::kDataLoss) << which;
    ExpectNothingVisible();
  }
  std::vector<TarMember> swapped = DockerArchiveMembers({{"a:1", a_}});
  for (TarMember& member : swapped) {
    if (absl::EndsWith(member.name, "/layer.tar")) {
      member.content = MakeTar({{"other", "x"}});
    }
  }
  EXPECT_THAT(LoadMembers(swapped),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kDiffIdMismatch));
  ExpectNothingVisible();
}

TEST_F(LoadTest, RefusesTruncatedArchives) {
  const std::string tar = MakeTar(DockerArchiveMembers({{"a:1", a_}}));
  const std::string gzip = Gzip(tar);
  EXPECT_FALSE(LoadBytes(tar.substr(0, 700)).ok());
  EXPECT_THAT(LoadBytes(gzip.substr(0, gzip.size() / 2)),
              StatusIs(absl::StatusCode::kDataLoss, Reason::kArchiveCorrupt));
  ExpectNothingVisible();
}

TEST_F(LoadTest, LoadsOnlyThePlatformThatWasAskedFor) {
  const std::string tar = MakeTar(DockerArchiveMembers({{"a:1", a_}}));
  EXPECT_THAT(LoadBytes(tar, {.platform = "linux/s390x", .cancel = {}}),
              StatusIs(absl::StatusCode::kNotFound, Reason::kPlatformNotFound));
  EXPECT_THAT(
      LoadBytes(tar, {.platform = "no such thing", .cancel = {}}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument));
  ExpectNothingVisible();
  CK_ASSERT_OK_AND_ASSIGN(
      const std::vector<std::string> loaded,
      LoadBytes(tar,
                {.platform = oci::HostPlatform().ToString(), .cancel = {}}));
  EXPECT_THAT(loaded, ElementsAre("a:1"));
}

TEST_F(LoadTest, RefusesFilesThatAreNoArchive) {
  for (const std::string& bytes :
       {std::string("garbage that is no archive at all"),
        std::string(4096, 'x'), Gzip("text"), Gzip(std::string(4096, 'x'))}) {
    EXPECT_THAT(LoadBytes(bytes), StatusIs(absl::StatusCode::kInvalidArgument,
                                           Reason::kArchiveCorrupt));
  }
  ExpectNothingVisible();
}

TEST_F(LoadTest, ImportsARootFileSystem) {
  const std::string tar = MakeTar({{"bin/", "", '5'}, {"bin/sh", "#!"}});
  for (const std::string& bytes : {tar, Gzip(tar)}) {
    const UniqueFd fd = File(bytes);
    const auto id = service_->Import(
        fd.get(), {.reference = "mine:1",
                   .message = "by hand",
                   .changes = {"CMD [\"/bin/sh\"]", "ENV A=1 B=\"2 3\""},
                   .platform = "linux/arm64"});
    ASSERT_THAT(id, IsOk());
    const auto info = service_->Inspect("mine:1");
    ASSERT_THAT(info, IsOk());
    EXPECT_EQ(info->summary.id, *id);
    EXPECT_EQ(info->architecture, "arm64");
    EXPECT_THAT(info->command, ElementsAre("/bin/sh"));
    EXPECT_THAT(info->env, ElementsAre("A=1", "B=2 3"));
    EXPECT_THAT(info->layers, ElementsAre(Sha256::Of(tar).str()));
    const auto history = service_->History("mine:1");
    ASSERT_EQ(history->size(), 1);
    EXPECT_EQ((*history)[0].comment, "by hand");
    EXPECT_EQ((*history)[0].size_bytes, 2);
  }
}

TEST_F(LoadTest, RefusesBadImports) {
  const UniqueFd fd = File(MakeTar({{"../x", "y"}}));
  EXPECT_THAT(
      service_->Import(fd.get(), {}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kUnsafePath));
  EXPECT_THAT(
      service_->Import(fd.get(), {.reference = "BAD"}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidReference));
  EXPECT_THAT(
      service_->Import(fd.get(), {.changes = {"RUN x"}}),
      StatusIs(absl::StatusCode::kInvalidArgument, Reason::kInvalidArgument));
  ExpectNothingVisible();
}

TEST_F(LoadTest, RefusesImportsWhoseConfigNobodyReads) {
  const std::string tar = MakeTar({{"bin/", "", '5'}, {"bin/sh", "#!"}});
  std::vector<std::string> labels;
  const auto import = [&](size_t count) {
    while (labels.size() < count) {
      labels.push_back(absl::StrCat("LABEL l", labels.size(), "=",
                                    std::string(60 << 10, 'x')));
    }
    const UniqueFd fd = File(tar);
    return service_->Import(fd.get(),
                            {.reference = "mine:1", .changes = labels});
  };
  ASSERT_THAT(import(68), IsOk());
  EXPECT_THAT(service_->Inspect("mine:1"), IsOk());
  EXPECT_THAT(service_->Remove("mine:1", {}), IsOk());
  // 4 MiB are not enough for 70.
  EXPECT_THAT(import(70), StatusIs(absl::StatusCode::kInvalidArgument,
                                   Reason::kLimitExceeded));
  ExpectNothingVisible();
}

}  // namespace
}  // namespace containerkit::image
