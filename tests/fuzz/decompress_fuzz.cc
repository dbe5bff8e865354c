// gzip and zstd framing: how a stream is cut into pieces makes no difference
// to what comes out of it, nor whether it is accepted.
//
// The first byte of an input is the length of the smaller pieces.
#include <stddef.h>
#include <stdint.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "lib/base/status.h"
#include "lib/store/decompressor.h"
#include "tests/fuzz/check.h"

namespace {

namespace store = containerkit::store;
using containerkit::GetReason;
using containerkit::Reason;

constexpr size_t kMaxInput = 1 << 16;
constexpr size_t kMaxOutput = 4 << 20;

struct Result {
  absl::Status status;
  std::string output;
  bool cut = false;  // more output than this test looks at
};

Result Run(absl::string_view input, size_t piece, size_t capacity) {
  Result result;
  auto decompressor = store::Decompressor::Create(
      store::DetectCompression(input),
      {.take_in_rest = [] { return absl::OkStatus(); }});
  CK_FUZZ_CHECK(decompressor.ok());
  const auto buffer = std::make_unique<char[]>(capacity);
  while (!input.empty()) {
    absl::string_view chunk = input.substr(0, piece);
    input.remove_prefix(chunk.size());
    bool full = false;
    while (!chunk.empty() || full) {
      const size_t before = chunk.size();
      const auto made = (*decompressor)->Run(chunk, buffer.get(), capacity);
      if (!made.ok()) {
        result.status = made.status();
        return result;
      }
      CK_FUZZ_CHECK(*made <= capacity && chunk.size() <= before);
      // It takes all, unless the output is full.
      CK_FUZZ_CHECK(*made == capacity || chunk.empty());
      result.output.append(buffer.get(), *made);
      result.cut = result.output.size() > kMaxOutput;
      if (result.cut) return result;
      full = *made == capacity;
    }
  }
  result.status = (*decompressor)->Finish();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 5 || size > kMaxInput) return 0;
  const absl::string_view input(reinterpret_cast<const char*>(data + 1),
                                size - 1);
  const Result whole = Run(input, input.size(), 64 << 10);
  const Result pieces = Run(input, data[0] + size_t{4}, 4096 + data[0]);
  CK_FUZZ_CHECK(whole.cut == pieces.cut);
  if (whole.cut) return 0;
  CK_FUZZ_CHECK(whole.status.code() == pieces.status.code());
  if (whole.status.ok()) {
    CK_FUZZ_CHECK(whole.output == pieces.output);
  } else {
    CK_FUZZ_CHECK(GetReason(whole.status) != Reason::kUnspecified);
  }
  return 0;
}
