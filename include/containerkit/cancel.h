// Cancellation of blocking calls.
#ifndef CONTAINERKIT_CANCEL_H_
#define CONTAINERKIT_CANCEL_H_

#include <memory>

namespace containerkit {

// Ends blocking calls early: every call that was given the token returns
// CANCELLED / Reason::kCancelled within a second of Cancel().
//
// Copies share one state. Thread-safe. Cancel() may be called from a signal
// handler.
class CancelToken final {
 public:
  CancelToken();

  // Idempotent.
  void Cancel() const noexcept;
  bool cancelled() const noexcept;

  // Becomes readable on Cancel(); owned by the token. -1 when the process had
  // no descriptor left: the calls then poll.
  int fd() const noexcept;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_CANCEL_H_
