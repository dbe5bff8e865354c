#include "capi/src/session.h"

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/string_view.h"
#include "capi/src/callback.h"
#include "capi/src/cancel.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"

using ::containerkit::CancelToken;
using ::containerkit::ExitStatus;
using ::containerkit::InvalidArgument;
using ::containerkit::Output;
using ::containerkit::Reason;
using ::containerkit::capi::Callbacks;
using ::containerkit::capi::CallState;
using ::containerkit::capi::Guard;
using ::containerkit::capi::LinkedCancel;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::TokenOf;
using ::containerkit::capi::UserData;

static_assert(static_cast<int>(Output::Stream::kStdout) == CK_STREAM_STDOUT);
static_assert(static_cast<int>(Output::Stream::kStderr) == CK_STREAM_STDERR);

CK_DEFINE_OPTIONS(ck_session_write_options, CK_SESSION_WRITE_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_session_read_options, CK_SESSION_READ_OPTIONS_INIT)

CK_DEFINE_HANDLE(ck_session)

ck_status ck_session_write(ck_session* self, const void* data, size_t size,
                           const ck_session_write_options* options,
                           ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(const ck_session_write_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(const CancelToken cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(Pinned<ck_session> session, Pin(self));
    if (data == nullptr && size > 0) {
      return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                             "data is NULL");
    }
    return session->session.Write(
        absl::string_view(static_cast<const char*>(data), size), cancel);
  });
}

ck_status ck_session_close_stdin(ck_session* self, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_session> session, Pin(self));
    return session->session.CloseStdin();
  });
}

ck_status ck_session_read(ck_session* self,
                          const ck_session_read_options* options,
                          ck_output_fn output, void* user_data,
                          ck_release_fn user_data_release, int32_t* exit_code,
                          uint8_t* oom_killed, ck_error** err) {
  return Guard(err, [&](CallState& call) -> absl::Status {
    const UserData data(user_data, user_data_release);
    CK_ASSIGN_OR_RETURN(const ck_session_read_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_session> session, Pin(self));
    CK_ASSIGN_OR_RETURN(LinkedCancel cancel, LinkedCancel::Create(o.cancel));
    if (session->reading.exchange(true)) {
      return containerkit::FailedPrecondition(
          Reason::kInvalidArgument, "capi.session",
          "another thread reads from the session");
    }
    const absl::Cleanup done = [&] { session->reading.store(false); };
    Callbacks callbacks;
    const auto sink = [&](const Output& chunk) {
      if (output == nullptr || callbacks.ended()) return;
      const bool go_on = callbacks.Run([&] {
        return output(data.get(), static_cast<int32_t>(chunk.stream),
                      chunk.data.data(), chunk.data.size(), 0);
      });
      if (!go_on) cancel.token().Cancel();
    };
    absl::StatusOr<ExitStatus> exit =
        session->session.Read(sink, cancel.token());
    CK_RETURN_IF_ERROR(callbacks.Outcome(exit.status(), call));
    if (exit_code != nullptr) *exit_code = exit->code;
    if (oom_killed != nullptr) *oom_killed = exit->oom_killed ? 1 : 0;
    return absl::OkStatus();
  });
}

ck_status ck_session_resize(ck_session* self, uint16_t rows, uint16_t columns,
                            ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_session> session, Pin(self));
    return session->session.Resize(rows, columns);
  });
}

ck_status ck_session_signal(ck_session* self, int32_t signal, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_ASSIGN_OR_RETURN(Pinned<ck_session> session, Pin(self));
    return session->session.Signal(signal);
  });
}

int32_t ck_session_pid(const ck_session* self) {
  Pinned<ck_session> session(self);
  return session.ok() ? session->session.pid() : 0;
}

int32_t ck_session_poll_fd(const ck_session* self) {
  Pinned<ck_session> session(self);
  return session.ok() ? session->session.fd() : -1;
}
