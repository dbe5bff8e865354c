// What the windows of zstd frames may take of this process's memory.
#ifndef CONTAINERKIT_LIB_STORE_ZSTD_WINDOW_H_
#define CONTAINERKIT_LIB_STORE_ZSTD_WINDOW_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace containerkit::store {

// RFC 8878, 3.1.1.1.2: every decoder should take it, no encoder needs more.
inline constexpr uint64_t kUsualWindowBytes = 8 << 20;
// What `zstd -d` takes. Nobody is known to make more, though Docker and
// containerd, whose decoder stops at 512 MiB, would unpack it.
inline constexpr uint64_t kMaxWindowBytes = 128 << 20;

// The memory that the frame whose first bytes are `head` asks for; 0 for a
// skippable frame and for what is no frame. Unset: more bytes are needed, 18
// at most.
//
// Trust: hostile bytes.
std::optional<uint64_t> ZstdWindowBytes(absl::string_view head);

// A share of the kMaxWindowBytes that all windows above kUsualWindowBytes have
// together in this process, however many layers are unpacked side by side.
// Given back by the destructor.
//
// Who has a share waits for the disk and the processor only: not for another
// share, a network, a caller or a callback. So everybody's turn comes.
class WindowShare {
 public:
  WindowShare() = default;
  ~WindowShare();
  WindowShare(const WindowShare&) = delete;
  WindowShare& operator=(const WindowShare&) = delete;

  // Makes the share large enough for a window of `bytes`, at most
  // kMaxWindowBytes. Waits for those that have theirs or came earlier;
  // meanwhile `check`, unless it is empty, is called every few milliseconds,
  // and its error ends the wait.
  absl::Status Reserve(uint64_t bytes,
                       const std::function<absl::Status()>& check);

 private:
  uint64_t bytes_ = 0;
};

}  // namespace containerkit::store

#endif  // CONTAINERKIT_LIB_STORE_ZSTD_WINDOW_H_
