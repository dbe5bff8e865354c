// The calls of ck_container that give streams: start, attach, exec, logs.
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "capi/src/callback.h"
#include "capi/src/cancel.h"
#include "capi/src/container.h"
#include "capi/src/guard.h"
#include "capi/src/options.h"
#include "capi/src/session.h"
#include "capi/src/strings.h"

using ::containerkit::AttachOptions;
using ::containerkit::ExecConfig;
using ::containerkit::InvalidArgument;
using ::containerkit::LogOptions;
using ::containerkit::Output;
using ::containerkit::Reason;
using ::containerkit::Session;
using ::containerkit::StartOptions;
using ::containerkit::capi::Callbacks;
using ::containerkit::capi::CallState;
using ::containerkit::capi::CheckStrings;
using ::containerkit::capi::ClearOut;
using ::containerkit::capi::Guard;
using ::containerkit::capi::NewHandle;
using ::containerkit::capi::Pin;
using ::containerkit::capi::Pinned;
using ::containerkit::capi::SessionPayload;
using ::containerkit::capi::TokenOf;
using ::containerkit::capi::ToList;
using ::containerkit::capi::ToString;
using ::containerkit::capi::ToUnixNs;
using ::containerkit::capi::UserData;

CK_DEFINE_OPTIONS(ck_container_start_options, CK_CONTAINER_START_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_attach_options, CK_CONTAINER_ATTACH_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_exec_options, CK_CONTAINER_EXEC_OPTIONS_INIT)
CK_DEFINE_OPTIONS(ck_container_logs_options, CK_CONTAINER_LOGS_OPTIONS_INIT)

namespace {

ck_session* MakeSession(Session session) {
  return NewHandle<ck_session>(
      std::unique_ptr<SessionPayload>(new SessionPayload{std::move(session)}));
}

}  // namespace

ck_status ck_container_start(ck_container* self,
                             const ck_container_start_options* options,
                             ck_session** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    if (out != nullptr) *out = nullptr;
    CK_ASSIGN_OR_RETURN(const ck_container_start_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    if (o.attach) {
      CK_RETURN_IF_ERROR(ClearOut(out));
    }
    StartOptions start;
    start.attach = o.attach != 0;
    start.attach_stdin = o.attach_stdin != 0;
    start.stdin_fd = o.stdin_fd;
    start.stdout_fd = o.stdout_fd;
    start.stderr_fd = o.stderr_fd;
    start.rows = o.rows;
    start.columns = o.columns;
    CK_ASSIGN_OR_RETURN(start.cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(std::optional<Session> session,
                        container->Start(start));
    if (out != nullptr && session.has_value()) {
      *out = MakeSession(*std::move(session));
    }
    return absl::OkStatus();
  });
}

ck_status ck_container_attach(ck_container* self,
                              const ck_container_attach_options* options,
                              ck_session** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_container_attach_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    const AttachOptions attach = {.stdin_stream = o.stdin_stream != 0,
                                  .stdout_stream = o.stdout_stream != 0,
                                  .stderr_stream = o.stderr_stream != 0};
    CK_ASSIGN_OR_RETURN(Session session, container->Attach(attach));
    *out = MakeSession(std::move(session));
    return absl::OkStatus();
  });
}

ck_status ck_container_exec(ck_container* self, const char* const* command,
                            size_t count,
                            const ck_container_exec_options* options,
                            ck_session** out, ck_error** err) {
  return Guard(err, [&]() -> absl::Status {
    CK_RETURN_IF_ERROR(ClearOut(out));
    CK_ASSIGN_OR_RETURN(const ck_container_exec_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    CK_RETURN_IF_ERROR(CheckStrings(command, count, "command"));
    CK_RETURN_IF_ERROR(CheckStrings(o.env, o.env_count, "env"));
    ExecConfig exec;
    exec.command = ToList(command, count);
    exec.env = ToList(o.env, o.env_count);
    exec.user = ToString(o.user);
    exec.working_dir = ToString(o.working_dir);
    exec.tty = o.tty != 0;
    exec.stdin_stream = o.stdin_stream != 0;
    exec.privileged = o.privileged != 0;
    exec.detach = o.detach != 0;
    exec.rows = o.rows;
    exec.columns = o.columns;
    exec.stdin_fd = o.stdin_fd;
    exec.stdout_fd = o.stdout_fd;
    exec.stderr_fd = o.stderr_fd;
    CK_ASSIGN_OR_RETURN(exec.cancel, TokenOf(o.cancel));
    CK_ASSIGN_OR_RETURN(Session session, container->Exec(exec));
    *out = MakeSession(std::move(session));
    return absl::OkStatus();
  });
}

ck_status ck_container_logs(ck_container* self,
                            const ck_container_logs_options* options,
                            ck_output_fn output, void* user_data,
                            ck_release_fn user_data_release, ck_error** err) {
  return Guard(err, [&](CallState& call) -> absl::Status {
    const UserData data(user_data, user_data_release);
    CK_ASSIGN_OR_RETURN(const ck_container_logs_options o, Adopt(options));
    CK_ASSIGN_OR_RETURN(Pinned<ck_container> container, Pin(self));
    if (output == nullptr) {
      return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                             "output is NULL");
    }
    LogOptions logs;
    logs.stdout_stream = o.stdout_stream != 0;
    logs.stderr_stream = o.stderr_stream != 0;
    logs.follow = o.follow != 0;
    logs.tail = o.tail;
    if (o.since_ns != 0) logs.since = absl::FromUnixNanos(o.since_ns);
    if (o.until_ns != 0) logs.until = absl::FromUnixNanos(o.until_ns);
    CK_ASSIGN_OR_RETURN(logs.cancel, TokenOf(o.cancel));
    Callbacks callbacks;
    absl::Status status = container->Logs(logs, [&](const Output& line) {
      return callbacks.Run([&] {
        return output(data.get(), static_cast<int32_t>(line.stream),
                      line.data.data(), line.data.size(), ToUnixNs(line.time));
      });
    });
    return callbacks.Outcome(std::move(status), call);
  });
}
