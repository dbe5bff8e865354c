#include "lib/base/digest.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit {
namespace {

// FIPS 180-4 examples.
constexpr char kAbc256[] =
    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kEmpty256[] =
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc512[] =
    "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

TEST(DigestTest, ParsesBothAlgorithms) {
  const auto d256 = Digest::Parse(kAbc256);
  ASSERT_TRUE(d256.ok());
  EXPECT_EQ(d256->algorithm_name(), "sha256");
  EXPECT_EQ(d256->algorithm(), Digest::Algorithm::kSha256);
  EXPECT_EQ(d256->short_hex(), "ba7816bf8f01");
  EXPECT_EQ(d256->str(), kAbc256);
  const auto d512 = Digest::Parse(kAbc512);
  ASSERT_TRUE(d512.ok());
  EXPECT_EQ(d512->algorithm(), Digest::Algorithm::kSha512);
  EXPECT_EQ(d512->hex().size(), 128);
}

// security.md I01: a digest is never a path or key before it is strict.
TEST(DigestTest, RefusesEverythingButTheStrictGrammar) {
  const std::string hex(64, 'a');
  const std::string bad[] = {
      "",
      "sha256:",
      hex,
      "sha256:../../../../etc/passwd",
      absl::StrCat("sha256:../", std::string(61, 'a')),
      absl::StrCat("SHA256:", hex),
      absl::AsciiStrToUpper(kAbc256),
      absl::StrCat("sha256:", absl::AsciiStrToUpper(hex)),
      absl::StrCat("sha256:", hex.substr(1)),
      absl::StrCat("sha256:", hex, "a"),
      absl::StrCat("sha256:", hex, "\n"),
      absl::StrCat(" sha256:", hex),
      absl::StrCat("sha256:", std::string(1000000, 'a')),
      absl::StrCat("sha512:", hex),
      absl::StrCat("sha256+b64:", hex),
      absl::StrCat("md5:", hex),
      std::string("sha256:\0", 8) + hex.substr(1),
      absl::StrCat("sha256:", std::string(63, 'a'), std::string(1, '\0')),
  };
  for (const std::string& text : bad) {
    const auto digest = Digest::Parse(text);
    ASSERT_FALSE(digest.ok()) << text.substr(0, 100);
    EXPECT_EQ(digest.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(GetReason(digest.status()), Reason::kInvalidDigest);
    EXPECT_LT(digest.status().message().size(), 500);
  }
}

TEST(DigestTest, EmptyDigestNamesNothing) {
  EXPECT_TRUE(Digest().empty());
  EXPECT_EQ(Digest().hex(), "");
  EXPECT_EQ(Digest().algorithm_name(), "");
  EXPECT_NE(Digest(), *Digest::Parse(kAbc256));
  EXPECT_LT(*Digest::Parse(kAbc256), *Digest::Parse(kEmpty256));
}

TEST(HasherTest, MatchesThePublishedVectors) {
  EXPECT_EQ(Sha256::Of("abc").str(), kAbc256);
  EXPECT_EQ(Sha256::Of("").str(), kEmpty256);
  Hasher sha512(Digest::Algorithm::kSha512);
  sha512.Update("a");
  sha512.Update("bc");
  EXPECT_EQ(sha512.bytes(), 3);
  EXPECT_EQ(sha512.Finish().str(), kAbc512);
}

TEST(HasherTest, FinishStartsAfresh) {
  Sha256 hasher;
  hasher.Update("ab");
  hasher.Update("c");
  EXPECT_EQ(hasher.Finish().str(), kAbc256);
  EXPECT_EQ(hasher.bytes(), 0);
  EXPECT_EQ(hasher.Finish().str(), kEmpty256);

  Hasher sha512(Digest::Algorithm::kSha512);
  sha512.Update("xyz");
  sha512.Finish();
  sha512.Update("abc");
  EXPECT_EQ(sha512.Finish().str(), kAbc512);
}

}  // namespace
}  // namespace containerkit
