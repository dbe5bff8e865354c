#include "lib/oci/manifest.h"

#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"
#include "lib/oci/image_config.h"
#include "lib/oci/media_type.h"

namespace containerkit::oci {
namespace {

using ::testing::HasSubstr;

std::string Sha(char c) { return absl::StrCat("sha256:", std::string(64, c)); }

std::string ManifestJson() {
  return absl::StrReplaceAll(
      R"({"schemaVersion":2,
      "mediaType":"application/vnd.oci.image.manifest.v1+json",
      "config":{"mediaType":"application/vnd.oci.image.config.v1+json",
                "digest":"$a","size":10},
      "layers":[
       {"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",
        "digest":"$b","size":20,"urls":["https://x/y"]},
       {"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd",
        "digest":"$c","size":30,"annotations":{"k":"v"}}],
      "annotations":{"a":"b"}})",
      {{"$a", Sha('a')}, {"$b", Sha('b')}, {"$c", Sha('c')}});
}

std::string Entry(absl::string_view platform, char digest,
                  absl::string_view extra = "") {
  return absl::StrCat(R"({"mediaType":")", kOciManifest, R"(","digest":")",
                      Sha(digest), R"(","size":5)", platform.empty() ? "" : ",",
                      platform, extra, "}");
}

std::string IndexJson(absl::string_view entries) {
  return absl::StrCat(R"({"schemaVersion":2,"manifests":[)", entries, "]}");
}

void ExpectRefused(const std::string& json, absl::string_view content_type,
                   Reason reason, absl::string_view message) {
  const auto document = ParseManifest(json, content_type);
  ASSERT_FALSE(document.ok()) << json.substr(0, 300);
  EXPECT_EQ(document.status().code(), reason == Reason::kMediaTypeUnsupported
                                          ? absl::StatusCode::kUnimplemented
                                          : absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetReason(document.status()), reason) << document.status();
  EXPECT_THAT(std::string(document.status().message()),
              HasSubstr(std::string(message)));
}

TEST(ManifestTest, ReadsAManifest) {
  const auto document = ParseManifest(ManifestJson(), kOciManifest);
  ASSERT_TRUE(document.ok()) << document.status();
  const Manifest& manifest = std::get<Manifest>(*document);
  EXPECT_EQ(manifest.config.digest.str(), Sha('a'));
  ASSERT_EQ(manifest.layers.size(), 2);
  EXPECT_EQ(manifest.layers[0].size_bytes, 20);
  EXPECT_EQ(manifest.layers[0].urls[0], "https://x/y");
  EXPECT_EQ(manifest.LayersSizeBytes(), 50);
  EXPECT_TRUE(manifest.IsImage());
  const auto again = ParseManifest(SerializeManifest(manifest), "");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(std::get<Manifest>(*again), manifest);
}

TEST(ManifestTest, ReadsAnIndex) {
  const std::string json = IndexJson(Entry(
      R"("platform":{"os":"linux","architecture":"arm","variant":"v7",
                     "os.features":["x"]})",
      'a'));
  for (const char* type : {"", "application/json", kOciIndex}) {
    const auto document = ParseManifest(json, type);
    ASSERT_TRUE(document.ok()) << document.status();
    const Index& index = std::get<Index>(*document);
    ASSERT_EQ(index.manifests.size(), 1);
    EXPECT_EQ(index.manifests[0].platform->variant, "v7");
    const auto again = ParseManifest(SerializeIndex(index), kOciIndex);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(std::get<Index>(*again), index);
  }
}

TEST(ManifestTest, TellsImagesFromArtifacts) {
  const std::string chart =
      absl::StrReplaceAll(ManifestJson(), {{kOciConfig, "application/x.helm"}});
  const auto document = ParseManifest(chart, kOciManifest);
  ASSERT_TRUE(document.ok());
  EXPECT_FALSE(std::get<Manifest>(*document).IsImage());
}

// security.md I05: one digest, one meaning.
TEST(ManifestTest, RefusesAmbiguousDocuments) {
  const std::string manifest = ManifestJson();
  ExpectRefused(absl::StrReplaceAll(manifest, {{R"("annotations":{"a":"b"})",
                                                R"("manifests":[])"}}),
                kOciManifest, Reason::kManifestInvalid, "ambiguous");
  ExpectRefused(absl::StrReplaceAll(manifest, {{R"("annotations":{"a":"b"})",
                                                R"("manifests":null)"}}),
                kOciManifest, Reason::kManifestInvalid, "ambiguous");
  ExpectRefused(
      absl::StrCat(R"({"schemaVersion":2,"manifests":[],"layers":[]})"),
      kOciIndex, Reason::kManifestInvalid, "ambiguous");
  ExpectRefused(
      absl::StrCat(R"({"schemaVersion":2,"manifests":[],"config":{}})"), "",
      Reason::kManifestInvalid, "ambiguous");
  ExpectRefused(manifest, kDockerManifest, Reason::kManifestInvalid, "outside");
  ExpectRefused(manifest, kOciIndex, Reason::kManifestInvalid, "outside");
  ExpectRefused(IndexJson(""), kOciManifest, Reason::kManifestInvalid,
                "ambiguous");
  ExpectRefused(
      absl::StrReplaceAll(manifest, {{R"("annotations":)", R"("layers":)"}}),
      kOciManifest, Reason::kInvalidJson, "duplicate key");
}

TEST(ManifestTest, RefusesSchema1WithAHint) {
  const std::string schema1 =
      R"({"schemaVersion":1,"fsLayers":[],"history":[]})";
  ExpectRefused(schema1, "application/json", Reason::kMediaTypeUnsupported,
                "schema 1");
  ExpectRefused(R"({"schemaVersion":2})",
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
                Reason::kMediaTypeUnsupported, "schema 1");
  EXPECT_FALSE(
      GetErrorDetail(ParseManifest(schema1, "").status())->hint.empty());
}

TEST(ManifestTest, RefusesWhatIsNoManifest) {
  ExpectRefused("{}", "text/html", Reason::kMediaTypeUnsupported, "text/html");
  ExpectRefused(R"({"schemaVersion":2,"mediaType":"a/b"})", "",
                Reason::kMediaTypeUnsupported, "a/b");
  ExpectRefused("[]", kOciManifest, Reason::kManifestInvalid, "not a JSON");
  ExpectRefused("{}", kOciManifest, Reason::kManifestInvalid, "schemaVersion");
  ExpectRefused(R"({"schemaVersion":3})", "", Reason::kManifestInvalid,
                "schemaVersion");
  ExpectRefused(R"({"schemaVersion":2})", "", Reason::kInvalidJson, "config");
  ExpectRefused(R"({"schemaVersion":2})", kOciIndex, Reason::kManifestInvalid,
                "manifests");
}

// security.md I01, I08: digests, sizes and types in descriptors.
TEST(ManifestTest, RefusesBadDescriptors) {
  const struct {
    std::string from, to;
    Reason reason;
    const char* message;
  } cases[] = {
      {Sha('b'), "sha256:../../../etc/passwd", Reason::kInvalidDigest,
       "layers[0].digest"},
      {Sha('b'), absl::StrCat("sha256:", std::string(64, 'B')),
       Reason::kInvalidDigest, "layers[0].digest"},
      {Sha('a'), "", Reason::kInvalidDigest, "config.digest"},
      {R"("size":20)", R"("size":-1)", Reason::kInvalidJson, "layers[0].size"},
      {R"("size":20)", R"("size":1e3)", Reason::kInvalidJson, "layers[0].size"},
      {R"("size":20)", R"("size":18446744073709551615)", Reason::kInvalidJson,
       "layers[0].size"},
      {R"("size":20)", R"("size":99999999999999999999)", Reason::kInvalidJson,
       "layers[0].size"},
      {R"("size":20,)", "", Reason::kInvalidJson, "layers[0].size"},
      {R"("size":20)", R"("size":"20")", Reason::kInvalidJson,
       "layers[0].size"},
      {R"({"k":"v"})", R"({"k":1})", Reason::kInvalidJson,
       "layers[1].annotations.k"},
      {R"("layers":[)", R"("layers":[[],)", Reason::kInvalidJson, "layers[0]"},
  };
  for (const auto& c : cases) {
    const std::string json =
        absl::StrReplaceAll(ManifestJson(), {{c.from, c.to}});
    ASSERT_NE(json, ManifestJson()) << c.from;
    ExpectRefused(json, kOciManifest, c.reason, c.message);
  }
}

// security.md I06, I08.
TEST(ManifestTest, HoldsTheLimits) {
  std::string many;
  const std::string entry = Entry("", 'a');
  for (size_t i = 0; i <= kMaxIndexEntries; ++i) {
    absl::StrAppend(&many, i == 0 ? "" : ",", entry);
  }
  ExpectRefused(IndexJson(many), kOciIndex, Reason::kLimitExceeded, "1000");
  std::string layers;
  for (int i = 0; i < 20000; ++i) absl::StrAppend(&layers, entry, ",");
  ExpectRefused(absl::StrReplaceAll(
                    ManifestJson(),
                    {{R"("layers":[)", absl::StrCat(R"("layers":[)", layers)}}),
                kOciManifest, Reason::kLimitExceeded, "500");
  ExpectRefused(std::string(kMaxManifestBytes + 1, ' '), kOciManifest,
                Reason::kLimitExceeded, "larger");
  ExpectRefused(absl::StrCat(R"({"x":)", std::string(100000, '['),
                             std::string(100000, ']'), "}"),
                kOciManifest, Reason::kLimitExceeded, "levels");
}

Index MakeIndex(absl::string_view entries) {
  auto document = ParseManifest(IndexJson(entries), kOciIndex);
  EXPECT_TRUE(document.ok()) << document.status();
  return std::get<Index>(*document);
}

TEST(SelectPlatformTest, TakesTheClosest) {
  const Index index = MakeIndex(absl::StrCat(
      Entry(R"("platform":{"os":"unknown","architecture":"unknown"})", '0'),
      ",",
      Entry(R"("platform":{"os":"linux","architecture":"amd64"})", '1',
            R"(,"annotations":{"vnd.docker.reference.type":"x"})"),
      ",",
      Entry(R"("platform":{"os":"linux","architecture":"arm",
                                "variant":"v6"})",
            '2'),
      ",",
      Entry(R"("platform":{"os":"linux","architecture":"arm",
                                "variant":"v7"})",
            '3'),
      ",", Entry(R"("platform":{"os":"linux","architecture":"amd64"})", '4'),
      ",", Entry(R"("platform":{"os":"linux","architecture":"amd64"})", '5'),
      ",", Entry("", '6')));
  EXPECT_EQ(SelectPlatform(index, {"linux", "amd64"})->digest.str(), Sha('4'));
  EXPECT_EQ(SelectPlatform(index, {"linux", "arm", "v7"})->digest.str(),
            Sha('3'));
  EXPECT_EQ(SelectPlatform(index, {"linux", "arm", "v6"})->digest.str(),
            Sha('2'));
  EXPECT_EQ(SelectPlatform(index, {"linux", "s390x"})->digest.str(), Sha('6'));
}

TEST(SelectPlatformTest, ListsWhatThereIs) {
  const auto none = SelectPlatform(
      MakeIndex(Entry(
          R"("platform":{"os":"linux","architecture":"arm64","variant":"v8"})",
          'a')),
      {"linux", "amd64"});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(GetReason(none.status()), Reason::kPlatformNotFound);
  EXPECT_EQ(none.status().message(),
            "no image for platform linux/amd64; there is linux/arm64");
}

}  // namespace
}  // namespace containerkit::oci
