#include "lib/store/decompressor.h"

#include <isa-l.h>
#include <string.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "lib/store/zstd_window.h"

namespace containerkit::store {
namespace {

constexpr char kOperation[] = "store.decompress";
constexpr absl::string_view kGzipMagic("\x1f\x8b", 2);
constexpr absl::string_view kZstdMagic("\x28\xb5\x2f\xfd", 4);

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
  explicit ZstdDecompressor(DecompressorOptions options)
      : options_(std::move(options)), context_(ZSTD_createDCtx()) {}

  absl::StatusOr<size_t> Run(absl::string_view& input, char* output,
                             size_t capacity) override {
    if (context_ == nullptr) return TooMuch("zstd: no memory");
    ZSTD_outBuffer out = {output, capacity, 0};
    while (out.pos < out.size) {
      if (state_ != State::kInFrame) {
        CK_ASSIGN_OR_RETURN(const bool begun, BeginFrame(input));
        if (!begun) break;
      }
      if (input.empty() && head_.empty() && !more_output_) break;
      CK_RETURN_IF_ERROR(head_.empty() ? Decode(input, out) : DecodeHead(out));
    }
    return out.pos;
  }

  absl::Status Finish() override {
    return state_ == State::kFrameEnded && head_.empty()
               ? absl::OkStatus()
               : Corrupt("zstd: stream is cut off");
  }

 private:
  enum class State { kStart, kInFrame, kFrameEnded };
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  static absl::Status TooMuch(absl::string_view what) {
    return MakeError(
        absl::StatusCode::kResourceExhausted, what,
        {.reason = Reason::kLimitExceeded, .operation = kOperation});
  }

  // Keeps the bytes that tell how large the window is, and makes room for it.
  // False: more bytes are needed.
  absl::StatusOr<bool> BeginFrame(absl::string_view& input) {
    std::optional<uint64_t> window;
    while (!window.has_value()) {
      if (input.empty()) return false;
      head_.push_back(input[0]);
      input.remove_prefix(1);
      window = ZstdWindowBytes(head_);
    }
    const uint64_t most =
        options_.take_in_rest == nullptr ? kUsualWindowBytes : kMaxWindowBytes;
    if (*window > most) {
      return TooMuch(absl::StrCat("zstd: a window of ", *window,
                                  " bytes; at most ", most));
    }
    if (*window > kUsualWindowBytes) {
      CK_RETURN_IF_ERROR(options_.take_in_rest());
      // While this one waits, it keeps no window of the frame before.
      context_.reset(ZSTD_createDCtx());
      if (context_ == nullptr) return TooMuch("zstd: out of memory");
    }
    CK_RETURN_IF_ERROR(share_.Reserve(*window, options_.check));
    state_ = State::kInFrame;
    return true;
  }

  absl::Status DecodeHead(ZSTD_outBuffer& out) {
    absl::string_view head = head_;
    CK_RETURN_IF_ERROR(Decode(head, out));
    head_.erase(0, head_.size() - head.size());
    return absl::OkStatus();
  }

  absl::Status Decode(absl::string_view& input, ZSTD_outBuffer& out) {
    ZSTD_inBuffer in = {input.data(), input.size(), 0};
    const size_t code = ZSTD_decompressStream(context_.get(), &out, &in);
    if (ZSTD_isError(code)) {
      return Corrupt(absl::StrCat("zstd: ", ZSTD_getErrorName(code)));
    }
    input.remove_prefix(in.pos);
    // It stops at the end of each frame.
    if (code == 0) state_ = State::kFrameEnded;
    more_output_ = code != 0 && out.pos == out.size;
    return absl::OkStatus();
  }

  const DecompressorOptions options_;
  WindowShare share_;
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  State state_ = State::kStart;
  std::string head_;  // Of a frame, not yet decoded.
  bool more_output_ = false;
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
    Compression compression, DecompressorOptions options) {
  switch (compression) {
    case Compression::kNone:
      return std::make_unique<PlainDecompressor>();
    case Compression::kGzip:
      return std::make_unique<GzipDecompressor>();
    case Compression::kZstd:
      return std::make_unique<ZstdDecompressor>(std::move(options));
  }
  return InternalError(kOperation, "unknown compression");
}

}  // namespace containerkit::store
