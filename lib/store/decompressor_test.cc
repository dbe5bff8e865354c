#include "lib/store/decompressor.h"

#include <stdint.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "lib/base/status.h"

namespace containerkit::store {
namespace {

// printf 'hello\n' | gzip -n ; ... | zstd
const std::string kGzip = absl::HexStringToBytes(
    "1f8b0800000000000003cb48cdc9c9e7020020303a3606000000");
const std::string kZstd =
    absl::HexStringToBytes("28b52ffd045831000068656c6c6f0a5388bd91");

// All of `bytes`, through buffers of odd sizes.
absl::StatusOr<std::string> Inflate(Compression compression,
                                    absl::string_view bytes, size_t in = 3,
                                    size_t out = 2) {
  CK_ASSIGN_OR_RETURN(const auto decompressor,
                      Decompressor::Create(compression));
  std::string result;
  std::string buffer(out, '\0');
  while (!bytes.empty()) {
    absl::string_view piece = bytes.substr(0, in);
    bytes.remove_prefix(piece.size());
    for (bool full = false; !piece.empty() || full;) {
      CK_ASSIGN_OR_RETURN(const size_t n,
                          decompressor->Run(piece, &buffer[0], out));
      result.append(buffer, 0, n);
      full = n == out;
    }
  }
  CK_RETURN_IF_ERROR(decompressor->Finish());
  return result;
}

TEST(DecompressorTest, TellsFormatsByTheirFirstBytes) {
  EXPECT_EQ(DetectCompression(kGzip), Compression::kGzip);
  EXPECT_EQ(DetectCompression(kZstd), Compression::kZstd);
  EXPECT_EQ(DetectCompression(absl::string_view("\x5e\x2a\x4d\x18", 4)),
            Compression::kZstd);
  EXPECT_EQ(DetectCompression("etc/"), Compression::kNone);
  EXPECT_EQ(DetectCompression(""), Compression::kNone);
}

TEST(DecompressorTest, InflatesAcrossAnyBufferBorders) {
  for (size_t in = 1; in < 8; ++in) {
    for (size_t out = 1; out < 9; ++out) {
      EXPECT_EQ(Inflate(Compression::kGzip, kGzip, in, out).value_or("?"),
                "hello\n");
      EXPECT_EQ(Inflate(Compression::kZstd, kZstd, in, out).value_or("?"),
                "hello\n");
      EXPECT_EQ(Inflate(Compression::kNone, "hello\n", in, out).value_or("?"),
                "hello\n");
      EXPECT_EQ(
          Inflate(Compression::kGzip, kGzip + kGzip, in, out).value_or("?"),
          "hello\nhello\n");
    }
  }
}

TEST(DecompressorTest, IgnoresOnlyZeroPadding) {
  EXPECT_TRUE(Inflate(Compression::kGzip, kGzip + std::string(9, '\0')).ok());
  for (const std::string& tail : {std::string("x"), std::string("\0x", 2),
                                  '\0' + kGzip, std::string("\x1f")}) {
    const auto status = Inflate(Compression::kGzip, kGzip + tail).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_EQ(GetReason(status), Reason::kArchiveCorrupt);
  }
}

TEST(DecompressorTest, EveryTruncationIsAnError) {
  for (size_t size = 0; size < kGzip.size(); ++size) {
    EXPECT_EQ(
        GetReason(Inflate(Compression::kGzip, kGzip.substr(0, size)).status()),
        Reason::kArchiveCorrupt)
        << size;
  }
  for (size_t size = 0; size < kZstd.size(); ++size) {
    EXPECT_EQ(
        GetReason(Inflate(Compression::kZstd, kZstd.substr(0, size)).status()),
        Reason::kArchiveCorrupt)
        << size;
  }
}

TEST(DecompressorTest, ChecksTheTrailer) {
  std::string bad = kGzip;
  bad[bad.size() - 6] ^= 1;
  EXPECT_EQ(GetReason(Inflate(Compression::kGzip, bad).status()),
            Reason::kArchiveCorrupt);
}

// T10: 10^5 members take time in proportion, no memory.
TEST(DecompressorTest, TakesVeryManyMembers) {
  std::string many;
  for (int i = 0; i < 100000; ++i) many += kGzip;
  const auto result = Inflate(Compression::kGzip, many, 1 << 18, 1 << 20);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->size(), 600000u);
}

}  // namespace
}  // namespace containerkit::store
