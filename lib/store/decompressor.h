// gzip, zstd or nothing, as a stream.
#ifndef CONTAINERKIT_LIB_STORE_DECOMPRESSOR_H_
#define CONTAINERKIT_LIB_STORE_DECOMPRESSOR_H_

#include <cstddef>
#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace containerkit::store {

enum class Compression { kNone, kGzip, kZstd };

// What a stream is compressed with, by its first bytes (four are enough; with
// fewer the answer is kNone).
Compression DetectCompression(absl::string_view head);

struct DecompressorOptions {
  // Called when a zstd window above 8 MiB is asked for: from then on others may
  // wait for this stream's end, so it takes in what is still to come of the
  // input, and returns when all that Run() will be given is at hand. More than
  // once; its error is that of Run(). Empty: such windows are refused.
  std::function<absl::Status()> take_in_rest;
  // Called while Run() waits for others, and its error ends that. May be empty.
  std::function<absl::Status()> check;
};

// Memory is bounded: less than 100 KiB for gzip (ISA-L), a window of 8 MiB for
// zstd. Larger windows have 128 MiB together in this process, and a Run() that
// needs one waits for its turn (zstd_window.h).
//
// One thread at a time.
class Decompressor {
 public:
  static absl::StatusOr<std::unique_ptr<Decompressor>> Create(
      Compression compression, DecompressorOptions options = {});
  virtual ~Decompressor() = default;

  // Takes from the front of `input` and writes up to `capacity` bytes to
  // `output`; returns how many. All of `input` is taken unless the output
  // filled up. Concatenated members and frames are one stream; zero bytes
  // after the last gzip member are ignored.
  //
  // Trust: `input` may be anything. Nothing limits how much comes out: that is
  // the caller's.
  // Errors: DATA_LOSS / kArchiveCorrupt; RESOURCE_EXHAUSTED / kLimitExceeded
  //         for a zstd window above 128 MiB, or 8 MiB; those of the options'
  //         functions.
  virtual absl::StatusOr<size_t> Run(absl::string_view& input, char* output,
                                     size_t capacity) = 0;

  // To be called when there is no more input.
  //
  // Errors: DATA_LOSS / kArchiveCorrupt for a stream that is cut off.
  virtual absl::Status Finish() = 0;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_DECOMPRESSOR_H_
