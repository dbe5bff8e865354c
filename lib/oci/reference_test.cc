#include "lib/oci/reference.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::oci {
namespace {

const std::string& Sha() {
  static const std::string* const sha =
      new std::string(absl::StrCat("sha256:", std::string(64, 'a')));
  return *sha;
}

TEST(ImageRefTest, NormalisesLikeDocker) {
  const struct {
    std::string text, full, familiar;
  } cases[] = {
      {"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
      {"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
      {"library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
      {"docker.io/busybox", "docker.io/library/busybox:latest",
       "busybox:latest"},
      {"index.docker.io/a/b:T", "docker.io/a/b:T", "a/b:T"},
      {"a/b", "docker.io/a/b:latest", "a/b:latest"},
      {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
      {"localhost/a", "localhost/a:latest", "localhost/a:latest"},
      {"localhost:5000/a", "localhost:5000/a:latest",
       "localhost:5000/a:latest"},
      {"host:5000/a:b", "host:5000/a:b", "host:5000/a:b"},
      {"[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"},
      {"[2001:db8::1]/a/b", "[2001:db8::1]/a/b:latest",
       "[2001:db8::1]/a/b:latest"},
      {"quay.io/a/b:v1", "quay.io/a/b:v1", "quay.io/a/b:v1"},
      {"Upper/a", "Upper/a:latest", "Upper/a:latest"},
      {"a__b/c-d--e.f_g", "docker.io/a__b/c-d--e.f_g:latest",
       "a__b/c-d--e.f_g:latest"},
      {absl::StrCat("busybox@", Sha()),
       absl::StrCat("docker.io/library/busybox@", Sha()),
       absl::StrCat("busybox@", Sha())},
      {absl::StrCat("q.io/a:t@", Sha()), absl::StrCat("q.io/a:t@", Sha()),
       absl::StrCat("q.io/a:t@", Sha())},
      {"localhost:5000", "docker.io/library/localhost:5000", "localhost:5000"},
      {absl::StrCat(std::string(64, 'g')),
       absl::StrCat("docker.io/library/", std::string(64, 'g'), ":latest"),
       absl::StrCat(std::string(64, 'g'), ":latest")},
  };
  for (const auto& c : cases) {
    const auto ref = ImageRef::Parse(c.text);
    ASSERT_TRUE(ref.ok()) << c.text << ": " << ref.status();
    EXPECT_EQ(ref->ToString(), c.full);
    EXPECT_EQ(ref->Familiar(), c.familiar);
    for (const std::string& form : {c.full, c.familiar}) {
      const auto again = ImageRef::Parse(form);
      ASSERT_TRUE(again.ok()) << form;
      EXPECT_EQ(*again, *ref) << form;
    }
  }
}

TEST(ImageRefTest, RefusesMalformedNames) {
  const std::string bad[] = {
      "",
      ":tag",
      "@",
      "a:",
      "a:b:c",
      "a@b",
      "Busybox",
      "a/B",
      "a//b",
      "/a",
      "a/",
      "a..b",
      "a___b",
      "a._b",
      "-a",
      "a-",
      "a b",
      "a\nb",
      std::string("a\0b", 3),
      "../../etc/passwd",
      "localhost:0/a",
      "localhost:99999/a",
      "localhost:x/a",
      "-host.io/a",
      "ho_st.io/a",
      "host..io/a",
      "[::1/a",
      "[aa..a.]/a",
      "[]:80/a",
      "https://a/b",
      "a:.tag",
      "a:-tag",
      "a:t\xc3\xa4g",
      absl::StrCat("a:", std::string(129, 't')),
      std::string(64, 'a'),
      std::string(256, 'a'),
      std::string(1000000, 'a'),
      absl::StrCat("q.io/", std::string(251, 'a')),
  };
  for (const std::string& text : bad) {
    const auto ref = ImageRef::Parse(text);
    ASSERT_FALSE(ref.ok()) << text.substr(0, 100);
    EXPECT_EQ(ref.status().code(), absl::StatusCode::kInvalidArgument);
    const Reason reason = GetReason(ref.status());
    EXPECT_TRUE(reason == Reason::kInvalidReference ||
                reason == Reason::kInvalidDigest)
        << text;
    EXPECT_LT(ref.status().message().size(), 500);
  }
}

TEST(ImageRefTest, HoldsTheLengthLimits) {
  EXPECT_TRUE(
      ImageRef::Parse(absl::StrCat("q.io/", std::string(250, 'a'))).ok());
  EXPECT_TRUE(ImageRef::Parse(absl::StrCat("a:", std::string(128, 't'))).ok());
}

// security.md I01.
TEST(ImageRefTest, RefusesLooseDigests) {
  for (const std::string& digest :
       {std::string("sha256:../../x"), std::string("sha256:AA"),
        absl::StrCat("sha256:", std::string(63, 'a')),
        absl::StrCat("md5:", std::string(32, 'a')),
        absl::StrCat(Sha(), "@", Sha())}) {
    EXPECT_EQ(GetReason(ImageRef::Parse(absl::StrCat("a@", digest)).status()),
              Reason::kInvalidDigest)
        << digest;
  }
}

TEST(ImageRefTest, WithDigestDropsTheTag) {
  const auto ref = ImageRef::Parse("q.io/a:t");
  ASSERT_TRUE(ref.ok());
  EXPECT_EQ(ref->TagOrDigest(), "t");
  const ImageRef pinned = ref->WithDigest(*Digest::Parse(Sha()));
  EXPECT_EQ(pinned.ToString(), absl::StrCat("q.io/a@", Sha()));
  EXPECT_EQ(pinned.TagOrDigest(), Sha());
}

}  // namespace
}  // namespace containerkit::oci
