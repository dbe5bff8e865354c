// Calling back into the host.
#ifndef CONTAINERKIT_CAPI_SRC_CALLBACK_H_
#define CONTAINERKIT_CAPI_SRC_CALLBACK_H_

#include <cxxabi.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "capi/src/guard.h"
#include "containerkit/c/base.h"

namespace containerkit::capi {

// What the host gave along with a callback; released when this goes.
class UserData final {
 public:
  UserData(void* data, ck_release_fn release) noexcept
      : data_(data), release_(release) {}
  UserData(const UserData&) = delete;
  UserData& operator=(const UserData&) = delete;
  ~UserData() {
    if (release_ != nullptr) release_(data_);
  }

  void* get() const { return data_; }

 private:
  void* data_;
  ck_release_fn release_;
};

// The callbacks of one call: whether they want it to go on. Thread-safe.
class Callbacks final {
 public:
  // Runs one; false when the call shall end.
  template <typename F>
  bool Run(F&& callback) {
    try {
      const int32_t code = callback();
      if (code == 0) return true;
      code_.store(code);
    } catch (const abi::__forced_unwind&) {
      throw;
    } catch (...) {
      threw_.store(true);
    }
    return false;
  }

  bool ended() const { return threw_.load() || code_.load() != 0; }

  // What the call answers: `status`, unless a callback ended it.
  absl::Status Outcome(absl::Status status, CallState& call) const;

 private:
  std::atomic<int32_t> code_{0};
  std::atomic<bool> threw_{false};
};

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_CALLBACK_H_
