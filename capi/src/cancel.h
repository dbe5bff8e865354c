// What is behind a ck_cancel, and tokens that follow one.
#ifndef CONTAINERKIT_CAPI_SRC_CANCEL_H_
#define CONTAINERKIT_CAPI_SRC_CANCEL_H_

#include <atomic>

#include "absl/status/statusor.h"
#include "capi/src/handle.h"
#include "containerkit/c/cancel.h"
#include "containerkit/cancel.h"

namespace containerkit::capi {

// One token of its own, and those of calls that may also end for another
// reason. Trigger() only does what a signal handler may.
class CancelPayload final {
 public:
  CancelPayload() = default;
  CancelPayload(const CancelPayload&) = delete;
  CancelPayload& operator=(const CancelPayload&) = delete;
  ~CancelPayload();

  const CancelToken& token() const { return token_; }
  void Trigger() noexcept;

  // A node of the list of followers; never taken out, reused when free.
  struct Follower {
    std::atomic<const CancelToken*> token{nullptr};
    Follower* next = nullptr;
  };
  // `token` is triggered along until Unfollow(), which waits for a Trigger()
  // that is under way.
  Follower* Follow(const CancelToken* token);
  void Unfollow(Follower* follower) noexcept;

 private:
  CancelToken token_;
  std::atomic<Follower*> followers_{nullptr};
  std::atomic<int> triggers_{0};
};
CK_HANDLE_TRAITS(ck_cancel, CancelPayload, kCancel);

// The token of a call that a callback may end too: triggered with `cancel`
// (may be NULL), while `cancel` is not with it.
class LinkedCancel final {
 public:
  // Errors: INVALID_ARGUMENT unless `cancel` is NULL or live.
  static absl::StatusOr<LinkedCancel> Create(const ck_cancel* cancel);
  LinkedCancel(LinkedCancel&& other) noexcept;
  LinkedCancel& operator=(LinkedCancel&&) = delete;
  ~LinkedCancel();

  const CancelToken& token() const { return *token_; }

 private:
  LinkedCancel() : token_(std::make_unique<CancelToken>()) {}
  std::unique_ptr<CancelToken> token_;
  Owned<ck_cancel> source_;
  CancelPayload* payload_ = nullptr;
  CancelPayload::Follower* follower_ = nullptr;
};

// The token of `cancel`, or one that nobody triggers for NULL.
// Errors: INVALID_ARGUMENT unless it is NULL or live.
absl::StatusOr<CancelToken> TokenOf(const ck_cancel* cancel);

}  // namespace containerkit::capi

#endif  // CONTAINERKIT_CAPI_SRC_CANCEL_H_
