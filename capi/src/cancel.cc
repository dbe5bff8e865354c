#include "capi/src/cancel.h"

#include <sched.h>

#include <memory>
#include <utility>

#include "capi/src/guard.h"

namespace containerkit::capi {

CancelPayload::~CancelPayload() {
  Follower* follower = followers_.load();
  while (follower != nullptr) {
    delete std::exchange(follower, follower->next);
  }
}

void CancelPayload::Trigger() noexcept {
  triggers_.fetch_add(1);
  token_.Cancel();
  for (Follower* f = followers_.load(); f != nullptr; f = f->next) {
    const CancelToken* token = f->token.load();
    if (token != nullptr) token->Cancel();
  }
  triggers_.fetch_sub(1);
}

CancelPayload::Follower* CancelPayload::Follow(const CancelToken* token) {
  Follower* follower = followers_.load();
  for (; follower != nullptr; follower = follower->next) {
    const CancelToken* none = nullptr;
    if (follower->token.compare_exchange_strong(none, token)) break;
  }
  if (follower == nullptr) {
    follower = new Follower;
    follower->token.store(token);
    follower->next = followers_.load();
    while (!followers_.compare_exchange_weak(follower->next, follower)) {
    }
  }
  // Triggered before it followed?
  if (token_.cancelled()) token->Cancel();
  return follower;
}

void CancelPayload::Unfollow(Follower* follower) noexcept {
  follower->token.store(nullptr);
  // A Trigger() that has read the pointer ends within a few instructions. One
  // in a signal handler of this thread has ended already.
  while (triggers_.load() != 0) sched_yield();
}

absl::StatusOr<LinkedCancel> LinkedCancel::Create(const ck_cancel* cancel) {
  LinkedCancel linked;
  if (cancel == nullptr) return linked;
  CK_ASSIGN_OR_RETURN(Pinned<ck_cancel> pinned, Pin(cancel));
  linked.source_ = Owned<ck_cancel>(Retain(cancel));
  linked.follower_ = pinned->Follow(linked.token_.get());
  linked.payload_ = &*pinned;
  return linked;
}

LinkedCancel::LinkedCancel(LinkedCancel&& other) noexcept
    : token_(std::move(other.token_)),
      source_(std::move(other.source_)),
      payload_(std::exchange(other.payload_, nullptr)),
      follower_(std::exchange(other.follower_, nullptr)) {}

LinkedCancel::~LinkedCancel() {
  if (payload_ != nullptr) payload_->Unfollow(follower_);
}

absl::StatusOr<CancelToken> TokenOf(const ck_cancel* cancel) {
  if (cancel == nullptr) return CancelToken();
  CK_ASSIGN_OR_RETURN(Pinned<ck_cancel> pinned, Pin(cancel));
  return pinned->token();
}

}  // namespace containerkit::capi

using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::MakeHandle;
using ::containerkit::capi::Pinned;

CK_DEFINE_HANDLE(ck_cancel)

ck_status ck_cancel_create(ck_cancel** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    *out = MakeHandle<ck_cancel>();
    return absl::OkStatus();
  });
}

void ck_cancel_trigger(const ck_cancel* self) {
  Pinned<ck_cancel> pinned(self);
  if (pinned.ok()) pinned->Trigger();
}

uint8_t ck_cancel_triggered(const ck_cancel* self) {
  Pinned<ck_cancel> pinned(self);
  return pinned.ok() && pinned->token().cancelled() ? 1 : 0;
}
