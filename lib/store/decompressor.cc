#include "lib/store/decompressor.h"

#include <isa-l.h>
#include <string.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.decompress";
constexpr absl::string_view kGzipMagic("\x1f\x8b", 2);
constexpr absl::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);
constexpr int kZstdMaxWindowLog = 27;

absl::Status Corrupt(absl::string_view what) {
  return MakeError(
      absl::StatusCode::kDataLoss, what,
      {.reason = Reason::kArchiveCorrupt, .operation = kOperation});
}

class PlainDecompressor final : public Decompressor {
 public:
  absl::StatusOr<size_t> Run(absl::string_view& input, char* output,
                             size_t capacity) override {
    const size_t n = std::min(capacity, input.size());
    memcpy(output, input.data(), n);
    input.remove_prefix(n);
    return n;
  }
  absl::Status Finish() override { return absl::OkStatus(); }
};

class GzipDecompressor final : public Decompressor {
 public:
  GzipDecompressor() : state_(std::make_unique<inflate_state>()) { Start(); }

  absl::StatusOr<size_t> Run(absl::string_view& input, char* output,
                             size_t capacity) override {
    constexpr size_t kMax = std::numeric_limits<uint32_t>::max();
    size_t done = 0;
    while (done < capacity) {
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        // Between members: only another one, or padding, may follow.
        while (!input.empty() && input[0] == '\0') {
          padding_ = true;
          input.remove_prefix(1);
        }
        if (input.empty()) return done;
        if (padding_ || input[0] != kGzipMagic[0]) {
          return Corrupt("gzip: bytes after the end");
        }
        Start();
      }
      if (input.empty() && !more_output_) return done;
      const size_t in = std::min(input.size(), kMax);
      const size_t out = std::min(capacity - done, kMax);
      state_->next_in =
          reinterpret_cast<uint8_t*>(const_cast<char*>(input.data()));
      state_->avail_in = static_cast<uint32_t>(in);
      state_->next_out = reinterpret_cast<uint8_t*>(output + done);
      state_->avail_out = static_cast<uint32_t>(out);
      const int code = isal_inflate(state_.get());
      if (code < 0 || code == ISAL_NEED_DICT) {
        return Corrupt(absl::StrCat("gzip: invalid data (code ", code, ")"));
      }
      const size_t taken = in - state_->avail_in;
      const size_t made = out - state_->avail_out;
      input.remove_prefix(taken);
      done += made;
      // A full output buffer may have left decoded bytes inside.
      more_output_ = state_->avail_out == 0;
      if (taken == 0 && made == 0) more_output_ = false;
    }
    return done;
  }

  absl::Status Finish() override {
    if (state_->block_state == ISAL_BLOCK_FINISH) return absl::OkStatus();
    return Corrupt("gzip: stream is cut off");
  }

 private:
  void Start() {
    isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;  // Parse the header, check the trailer.
    more_output_ = false;
  }

  std::unique_ptr<inflate_state> state_;
  bool more_output_ = false;
  bool padding_ = false;
};

class ZstdDecompressor final : public Decompressor {
 public:
  ZstdDecompressor() : context_(ZSTD_createDCtx()) {
    if (context_ != nullptr) {
      ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax,
                             kZstdMaxWindowLog);
    }
  }

  absl::StatusOr<size_t> Run(absl::string_view& input, char* output,
                             size_t capacity) override {
    if (context_ == nullptr) {
      return MakeError(
          absl::StatusCode::kResourceExhausted, "zstd: no memory",
          {.reason = Reason::kLimitExceeded, .operation = kOperation});
    }
    ZSTD_inBuffer in = {input.data(), input.size(), 0};
    ZSTD_outBuffer out = {output, capacity, 0};
    while (out.pos < out.size && (in.pos < in.size || more_output_)) {
      const size_t made = out.pos;
      const size_t taken = in.pos;
      const size_t code = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(code)) {
        return Corrupt(absl::StrCat("zstd: ", ZSTD_getErrorName(code)));
      }
      // Without progress the code only asks for the next frame's header.
      const bool progress = out.pos != made || in.pos != taken;
      if (progress) pending_ = code;
      more_output_ = progress && out.pos == out.size;
    }
    input.remove_prefix(in.pos);
    return out.pos;
  }

  absl::Status Finish() override {
    return pending_ == 0 ? absl::OkStatus()
                         : Corrupt("zstd: stream is cut off");
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool more_output_ = false;
  // 0: at the end of a frame.
  size_t pending_ = 1;
};

}  // namespace

Compression DetectCompression(absl::string_view head) {
  if (absl::StartsWith(head, kGzipMagic)) return Compression::kGzip;
  if (absl::StartsWith(head, kZstdMagic)) return Compression::kZstd;
  // A skippable frame: 0x184D2A5? little endian (zstd:chunked begins so).
  if (head.size() >= 4 && (head[0] & 0xf0) == 0x50 &&
      head.substr(1, 3) == "\x2a\x4d\x18") {
    return Compression::kZstd;
  }
  return Compression::kNone;
}

absl::StatusOr<std::unique_ptr<Decompressor>> Decompressor::Create(
    Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return std::make_unique<PlainDecompressor>();
    case Compression::kGzip:
      return std::make_unique<GzipDecompressor>();
    case Compression::kZstd:
      return std::make_unique<ZstdDecompressor>();
  }
  return InternalError(kOperation, "unknown compression");
}

}  // namespace containerkit::store
