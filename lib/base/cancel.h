// What blocking code does with a CancelToken.
#ifndef CONTAINERKIT_LIB_BASE_CANCEL_H_
#define CONTAINERKIT_LIB_BASE_CANCEL_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "containerkit/cancel.h"

namespace containerkit {

// OK, or CANCELLED / kCancelled once the token is cancelled.
absl::Status CheckCancelled(const CancelToken& cancel,
                            absl::string_view operation);

// poll(2)'s time-out for a wait that ends at `deadline`, rounded up; -1: for
// ever. Short when `cancel` has no descriptor, so that it is asked often.
int PollMillis(absl::Time deadline, const CancelToken* cancel = nullptr);

// Waits for `duration` (at most a day), or until the token is cancelled.
//
// Errors: CANCELLED / kCancelled.
absl::Status CancellableSleep(const CancelToken& cancel,
                              absl::Duration duration,
                              absl::string_view operation);

// Waits until a read(2) of `fd` would not block, or the token is cancelled.
//
// Errors: CANCELLED / kCancelled; as poll(2).
absl::Status WaitReadable(const CancelToken& cancel, int fd,
                          absl::string_view operation);

// As WaitReadable(), of a write(2). One of more than PIPE_BUF bytes may still
// block, unless `fd` is O_NONBLOCK.
absl::Status WaitWritable(const CancelToken& cancel, int fd,
                          absl::string_view operation);

}  // namespace containerkit

#endif  // CONTAINERKIT_LIB_BASE_CANCEL_H_
