#include "examples/cli/mount_option.h"

#include <unistd.h>

#include <string>
#include <variant>
#include <vector>

#include "gtest/gtest.h"

namespace containerkit::cli {
namespace {

using Recursive = BindMountConfig::Recursive;

std::string MountError(const std::string& text) {
  return std::string(ParseMountOption(text).status().message());
}

std::string VolumeError(const std::string& text) {
  return std::string(ParseVolumeOption(text).status().message());
}

TEST(MountOptionTest, Csv) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(*SplitCsv("a,b=c,"), Fields({"a", "b=c", ""}));
  EXPECT_EQ(*SplitCsv("\"a,b\",\"x\"\"y\""), Fields({"a,b", "x\"y"}));
  EXPECT_FALSE(SplitCsv("\"a").ok());
  EXPECT_FALSE(SplitCsv("a\"b").ok());
  EXPECT_FALSE(SplitCsv("\"a\"b").ok());
}

TEST(MountOptionTest, Volumes) {
  const BindMountConfig plain = *ParseVolumeOption("/a:/b");
  EXPECT_EQ(plain, (BindMountConfig{
                       .source = "/a", .target = "/b", .create_source = true}));
  const BindMountConfig full = *ParseVolumeOption("/a:/b:ro,rslave,z");
  EXPECT_TRUE(full.readonly);
  EXPECT_EQ(full.propagation, MountPropagation::kRslave);
  char here[4096];
  ASSERT_NE(getcwd(here, sizeof(here)), nullptr);
  EXPECT_EQ(ParseVolumeOption("./x:/b")->source, std::string(here) + "/x");
  EXPECT_EQ(ParseVolumeOption(".:/b")->source, here);
}

TEST(MountOptionTest, VolumeErrors) {
  EXPECT_EQ(VolumeError("/a:/b:/c:/d"),
            "invalid spec: /a:/b:/c:/d: too many colons");
  EXPECT_EQ(VolumeError("/a::ro"),
            "invalid spec: /a::ro: empty section between colons");
  EXPECT_EQ(VolumeError("/a:/b:foo"), "invalid mode: foo");
  EXPECT_EQ(VolumeError("data:/b"),
            "named volumes are not available in this version of ck: data");
  EXPECT_EQ(VolumeError("/b"),
            "anonymous volumes are not available in this version of ck: /b");
  EXPECT_EQ(VolumeError("/a:b"),
            "invalid volume specification: '/a:b': invalid mount config for "
            "type \"bind\": invalid mount path: 'b' mount path must be "
            "absolute");
}

TEST(MountOptionTest, Tmpfs) {
  const TmpfsMountConfig mount =
      *ParseTmpfsOption("/t:size=64m,mode=700,exec,ro,uid=5");
  EXPECT_EQ(mount, (TmpfsMountConfig{.target = "/t",
                                     .readonly = true,
                                     .size_bytes = 64 << 20,
                                     .mode = 0700,
                                     .options = {"exec", "uid=5"}}));
  EXPECT_EQ(ParseTmpfsOption("/t:size=50%")->options,
            std::vector<std::string>({"size=50%"}));
  EXPECT_FALSE(ParseTmpfsOption("t").ok());
  EXPECT_FALSE(ParseTmpfsOption("/t:mode=9").ok());
}

TEST(MountOptionTest, BindMounts) {
  const auto mount = ParseMountOption(
      "type=bind,source=/a,\"dst=/b,c\",ro,bind-propagation=rprivate,"
      "bind-recursive=readonly");
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(std::get<BindMountConfig>(*mount),
            (BindMountConfig{.source = "/a",
                             .target = "/b,c",
                             .readonly = true,
                             .recursive = Recursive::kReadonly}));
  const auto made = ParseMountOption(
      "type=bind,src=/a,target=/b,readonly=false,bind-create-src");
  EXPECT_TRUE(std::get<BindMountConfig>(*made).create_source);
  EXPECT_FALSE(std::get<BindMountConfig>(*made).readonly);
}

TEST(MountOptionTest, TmpfsMounts) {
  const auto mount =
      ParseMountOption("type=tmpfs,dst=/t,tmpfs-size=1k,tmpfs-mode=1777");
  ASSERT_TRUE(mount.ok()) << mount.status();
  EXPECT_EQ(
      std::get<TmpfsMountConfig>(*mount),
      (TmpfsMountConfig{.target = "/t", .size_bytes = 1024, .mode = 01777}));
}

TEST(MountOptionTest, MountErrors) {
  EXPECT_EQ(MountError("type=bind"), "target is required");
  EXPECT_EQ(MountError("foo"), "invalid field 'foo' must be a key=value pair");
  EXPECT_EQ(MountError("type=bind,foo=1"), "unexpected key 'foo' in 'foo=1'");
  EXPECT_EQ(MountError("type=bind,target=/b"), "source is required");
  EXPECT_EQ(MountError("type=bind,src=/a,target=/b,tmpfs-size=1k"),
            "cannot mix 'tmpfs-*' options with mount type 'bind'");
  EXPECT_EQ(MountError("type=tmpfs,src=/a,target=/b"),
            "cannot specify source with mount type 'tmpfs'");
  EXPECT_EQ(MountError("type=bind,src=/a,target=/b,ro=maybe"),
            "invalid value for 'ro': invalid boolean value (\"maybe\"): must "
            "be one of \"true\", \"1\", \"false\", or \"0\" (default "
            "\"true\")");
  EXPECT_EQ(MountError("type=bind,src=/a,target=/b,bind-recursive=readonly"),
            "option 'bind-recursive=readonly' requires 'readonly' to be "
            "specified in conjunction");
  EXPECT_EQ(MountError("src=/a,target=/b"),
            "mount type 'volume' is not available in this version of ck: use "
            "type=bind or type=tmpfs");
  EXPECT_EQ(MountError("type=bind,src=/a,target=b"),
            "invalid mount path: 'b' mount path must be absolute");
}

}  // namespace
}  // namespace containerkit::cli
