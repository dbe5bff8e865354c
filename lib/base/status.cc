#include "lib/base/status.h"

#include <errno.h>
#include <string.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "lib/base/error_detail.pb.h"

namespace containerkit {
namespace {

constexpr char kDetailUrl[] =
    "type.containerkit.dev/containerkit.v1.ErrorDetail";

// strerrorname_np and strerror_r differ by libc; the GNU form needs no buffer
// for known numbers and never touches the locale of the host's threads.
std::string ErrnoText(int os_errno) {
  const char* text = strerrordesc_np(os_errno);
  return text != nullptr ? text : absl::StrCat("errno ", os_errno);
}

bool IsRetryable(int os_errno) {
  switch (os_errno) {
    case EAGAIN:
    case EBUSY:
    case EINTR:
    case ENFILE:
    case EMFILE:
    case ENOMEM:
    case ETXTBSY:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::string_view ReasonName(Reason reason) noexcept {
  switch (reason) {
#define CK_REASON(value, name) \
  case Reason::k##name:        \
    return #name;
#include "containerkit/reasons.inc"
#undef CK_REASON
  }
  return "Unknown";
}

void SetErrorDetail(absl::Status& status, const ErrorDetail& detail) {
  if (status.ok()) return;
  v1::ErrorDetail proto;
  proto.set_reason(static_cast<int32_t>(detail.reason));
  proto.set_os_errno(detail.os_errno);
  proto.set_operation(detail.operation);
  proto.set_object_kind(detail.object_kind);
  proto.set_object_id(detail.object_id);
  proto.set_path(detail.path);
  proto.set_retryable(detail.retryable);
  proto.set_hint(detail.hint);
  status.SetPayload(kDetailUrl, absl::Cord(proto.SerializeAsString()));
}

std::optional<ErrorDetail> GetErrorDetail(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kDetailUrl);
  if (!payload.has_value()) return std::nullopt;
  v1::ErrorDetail proto;
  if (!proto.ParseFromString(std::string(*payload))) return std::nullopt;
  return ErrorDetail{.reason = static_cast<Reason>(proto.reason()),
                     .os_errno = proto.os_errno(),
                     .operation = proto.operation(),
                     .object_kind = proto.object_kind(),
                     .object_id = proto.object_id(),
                     .path = proto.path(),
                     .retryable = proto.retryable(),
                     .hint = proto.hint()};
}

Reason GetReason(const absl::Status& status) {
  const std::optional<ErrorDetail> detail = GetErrorDetail(status);
  return detail.has_value() ? detail->reason : Reason::kUnspecified;
}

absl::Status MakeError(absl::StatusCode code, absl::string_view message,
                       ErrorDetail detail) {
  absl::Status status(code, message);
  SetErrorDetail(status, detail);
  return status;
}

absl::Status SyscallError(int os_errno, absl::string_view operation,
                          absl::string_view call, absl::string_view path) {
  const bool full = os_errno == ENOSPC || os_errno == EDQUOT;
  return SyscallError(os_errno, operation, call, path,
                      full ? Reason::kDiskFull : Reason::kSystemCall);
}

absl::Status SyscallError(int os_errno, absl::string_view operation,
                          absl::string_view call, absl::string_view path,
                          Reason reason) {
  ErrorDetail detail{.reason = reason,
                     .os_errno = os_errno,
                     .operation = std::string(operation),
                     .path = std::string(path),
                     .retryable = IsRetryable(os_errno)};
  if (os_errno == ENOSPC || os_errno == EDQUOT) {
    detail.hint = "free some space on the file system that holds the path";
  }
  return MakeError(absl::ErrnoToStatusCode(os_errno),
                   absl::StrCat(call, "(", path, "): ", ErrnoText(os_errno)),
                   std::move(detail));
}

absl::Status InvalidArgument(Reason reason, absl::string_view operation,
                             absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, message,
                   {.reason = reason, .operation = std::string(operation)});
}

absl::Status NotFound(Reason reason, absl::string_view operation,
                      absl::string_view message) {
  return MakeError(absl::StatusCode::kNotFound, message,
                   {.reason = reason, .operation = std::string(operation)});
}

absl::Status FailedPrecondition(Reason reason, absl::string_view operation,
                                absl::string_view message) {
  return MakeError(absl::StatusCode::kFailedPrecondition, message,
                   {.reason = reason, .operation = std::string(operation)});
}

absl::Status Unimplemented(Reason reason, absl::string_view operation,
                           absl::string_view message) {
  return MakeError(absl::StatusCode::kUnimplemented, message,
                   {.reason = reason, .operation = std::string(operation)});
}

absl::Status InternalError(absl::string_view operation,
                           absl::string_view message) {
  return MakeError(
      absl::StatusCode::kInternal, message,
      {.reason = Reason::kInternal, .operation = std::string(operation)});
}

absl::Status Prefix(const absl::Status& status, absl::string_view prefix) {
  if (status.ok() || prefix.empty()) return status;
  absl::Status prefixed(status.code(),
                        absl::StrCat(prefix, ": ", status.message()));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    prefixed.SetPayload(url, payload);
  });
  return prefixed;
}

absl::Status WithObject(const absl::Status& status, absl::string_view kind,
                        absl::string_view id) {
  if (status.ok()) return status;
  ErrorDetail detail = GetErrorDetail(status).value_or(ErrorDetail{});
  if (!detail.object_kind.empty()) return status;
  detail.object_kind = std::string(kind);
  detail.object_id = std::string(id);
  absl::Status named = status;
  SetErrorDetail(named, detail);
  return named;
}

absl::Status FirstError(absl::Status first, const absl::Status& later) {
  if (first.ok()) return later;
  if (later.ok()) return first;
  absl::Status both(first.code(),
                    absl::StrCat(first.message(), "; also: ", later.message()));
  first.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    both.SetPayload(url, payload);
  });
  return both;
}

}  // namespace containerkit
