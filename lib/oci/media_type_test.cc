#include "lib/oci/media_type.h"

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace containerkit::oci {
namespace {

TEST(MediaTypeTest, ClassifiesDocuments) {
  EXPECT_EQ(ClassifyDocument(kOciManifest), DocumentKind::kManifest);
  EXPECT_EQ(ClassifyDocument(kDockerManifest), DocumentKind::kManifest);
  EXPECT_EQ(ClassifyDocument(kOciIndex), DocumentKind::kIndex);
  EXPECT_EQ(
      ClassifyDocument(absl::StrCat(kDockerManifestList, "; charset=utf-8")),
      DocumentKind::kIndex);
  EXPECT_EQ(ClassifyDocument("application/vnd.docker.distribution.manifest."
                             "v1+prettyjws"),
            DocumentKind::kSchema1);
  EXPECT_EQ(ClassifyDocument(""), DocumentKind::kUnspecific);
  EXPECT_EQ(ClassifyDocument("Application/JSON"), DocumentKind::kUnspecific);
  EXPECT_EQ(ClassifyDocument("text/html"), DocumentKind::kOther);
}

TEST(MediaTypeTest, KnowsLayers) {
  EXPECT_EQ(ParseLayerType(kOciLayer)->compression, Compression::kNone);
  EXPECT_EQ(ParseLayerType(kOciLayerGzip)->compression, Compression::kGzip);
  EXPECT_EQ(ParseLayerType(kOciLayerZstd)->compression, Compression::kZstd);
  EXPECT_EQ(ParseLayerType(kDockerLayer)->compression, Compression::kNone);
  EXPECT_EQ(ParseLayerType(kDockerLayerGzip)->compression, Compression::kGzip);
  EXPECT_EQ(ParseLayerType(kDockerLayerZstd)->compression, Compression::kZstd);
  EXPECT_FALSE(ParseLayerType(kOciLayerGzip)->foreign);
  EXPECT_TRUE(ParseLayerType("application/vnd.docker.image.rootfs.foreign."
                             "diff.tar.gzip")
                  ->foreign);
  EXPECT_TRUE(ParseLayerType("application/vnd.oci.image.layer."
                             "nondistributable.v1.tar+zstd")
                  ->foreign);
}

TEST(MediaTypeTest, RefusesWhatIsNoLayer) {
  for (const char* type :
       {"", kOciConfig, kOciManifest,
        "application/vnd.oci.image.layer.v1.tar+xz",
        "application/vnd.oci.image.layer.v1.tarx",
        "application/vnd.oci.image.layer.v1.tar+",
        "application/vnd.docker.image.rootfs.diff.tar+gzip",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip"}) {
    EXPECT_FALSE(ParseLayerType(type).has_value()) << type;
  }
  EXPECT_TRUE(IsImageConfig(kOciConfig));
  EXPECT_TRUE(IsImageConfig(kDockerConfig));
  EXPECT_FALSE(IsImageConfig("application/vnd.cncf.helm.config.v1+json"));
}

}  // namespace
}  // namespace containerkit::oci
