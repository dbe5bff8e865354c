#include "examples/cli/image_name.h"

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

TEST(ImageNameTest, SplitsReferences) {
  const ReferenceParts plain = SplitReference("alpine");
  EXPECT_EQ(plain.repository, "alpine");
  EXPECT_EQ(plain.tag, "latest");
  EXPECT_FALSE(plain.tag_given);
  const ReferenceParts port = SplitReference("host:5000/a/b");
  EXPECT_EQ(port.repository, "host:5000/a/b");
  EXPECT_EQ(port.tag, "latest");
  const ReferenceParts all = SplitReference("host:5000/a:1@sha256:ab");
  EXPECT_EQ(all.repository, "host:5000/a");
  EXPECT_EQ(all.tag, "1");
  EXPECT_EQ(all.digest, "sha256:ab");
}

TEST(ImageNameTest, NamesInFull) {
  EXPECT_EQ(FullRepository("alpine"), "docker.io/library/alpine");
  EXPECT_EQ(FullRepository("a/b"), "docker.io/a/b");
  EXPECT_EQ(FullRepository("docker.io/alpine"), "docker.io/library/alpine");
  EXPECT_EQ(FullRepository("localhost/a"), "localhost/a");
  EXPECT_EQ(FullRepository("host:5000/a"), "host:5000/a");
  EXPECT_EQ(FamiliarRepository("docker.io/library/alpine"), "alpine");
  EXPECT_EQ(FamiliarRepository("quay.io/a"), "quay.io/a");
  EXPECT_EQ(WithTag("alpine"), "alpine:latest");
  EXPECT_EQ(WithTag("alpine:3"), "alpine:3");
  EXPECT_EQ(WithTag("a@sha256:ab"), "a@sha256:ab");
}

}  // namespace
}  // namespace containerkit::cli
