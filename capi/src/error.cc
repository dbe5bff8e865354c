#include "capi/src/error.h"

#include <new>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "capi/src/guard.h"
#include "containerkit/status.h"

namespace containerkit::capi {

// The codes of the header are Abseil's.
#define CK_SAME_CODE(name, code) \
  static_assert(static_cast<int>(absl::StatusCode::code) == (name))
CK_SAME_CODE(CK_OK, kOk);
CK_SAME_CODE(CK_CANCELLED, kCancelled);
CK_SAME_CODE(CK_UNKNOWN, kUnknown);
CK_SAME_CODE(CK_INVALID_ARGUMENT, kInvalidArgument);
CK_SAME_CODE(CK_DEADLINE_EXCEEDED, kDeadlineExceeded);
CK_SAME_CODE(CK_NOT_FOUND, kNotFound);
CK_SAME_CODE(CK_ALREADY_EXISTS, kAlreadyExists);
CK_SAME_CODE(CK_PERMISSION_DENIED, kPermissionDenied);
CK_SAME_CODE(CK_RESOURCE_EXHAUSTED, kResourceExhausted);
CK_SAME_CODE(CK_FAILED_PRECONDITION, kFailedPrecondition);
CK_SAME_CODE(CK_ABORTED, kAborted);
CK_SAME_CODE(CK_OUT_OF_RANGE, kOutOfRange);
CK_SAME_CODE(CK_UNIMPLEMENTED, kUnimplemented);
CK_SAME_CODE(CK_INTERNAL, kInternal);
CK_SAME_CODE(CK_UNAVAILABLE, kUnavailable);
CK_SAME_CODE(CK_DATA_LOSS, kDataLoss);
CK_SAME_CODE(CK_UNAUTHENTICATED, kUnauthenticated);
#undef CK_SAME_CODE

ck_status Report(const absl::Status& status, const CallState& call,
                 ck_error** err) noexcept {
  const auto code = static_cast<ck_status>(status.code());
  if (err == nullptr) return code;
  try {
    ErrorPayload payload;
    payload.code = code;
    payload.message = std::string(status.message());
    payload.detail = GetErrorDetail(status).value_or(ErrorDetail{});
    payload.reason_name = std::string(ReasonName(payload.detail.reason));
    payload.callback_code = call.callback_code;
    *err = MakeHandle<ck_error>(std::move(payload));
  } catch (...) {
    *err = nullptr;
  }
  return code;
}

ck_status ReportNoMemory(ck_error** err) noexcept {
  try {
    return Report(
        MakeError(absl::StatusCode::kResourceExhausted, "out of memory",
                  {.reason = Reason::kSystemCall,
                   .os_errno = ENOMEM,
                   .operation = "capi.guard",
                   .retryable = true}),
        {}, err);
  } catch (...) {
    return CK_RESOURCE_EXHAUSTED;
  }
}

ck_status ReportException(const char* what, ck_error** err) noexcept {
  try {
    return Report(
        InternalError("capi.guard",
                      absl::StrCat("exception at the border: ", what)),
        {}, err);
  } catch (...) {
    return CK_INTERNAL;
  }
}

absl::Status CheckString(const char* text, const char* name) {
  if (text != nullptr) return absl::OkStatus();
  return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                         absl::StrCat(name, " is NULL"));
}

absl::Status CheckStrings(const char* const* list, size_t count,
                          const char* name) {
  if (list == nullptr && count > 0) {
    return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                           absl::StrCat(name, " is NULL"));
  }
  for (size_t i = 0; i < count; ++i) {
    if (list[i] == nullptr) {
      return InvalidArgument(Reason::kInvalidArgument, "capi.argument",
                             absl::StrCat(name, "[", i, "] is NULL"));
    }
  }
  return absl::OkStatus();
}

}  // namespace containerkit::capi

CK_DEFINE_HANDLE(ck_error)
CK_DEFINE_VALUE(ck_error, code, ck_status, p.code)
CK_DEFINE_VALUE(ck_error, reason, int32_t,
                static_cast<int32_t>(p.detail.reason))
CK_DEFINE_STRING(ck_error, reason_name, p.reason_name)
CK_DEFINE_VALUE(ck_error, errno, int32_t, p.detail.os_errno)
CK_DEFINE_STRING(ck_error, message, p.message)
CK_DEFINE_STRING(ck_error, operation, p.detail.operation)
CK_DEFINE_STRING(ck_error, object_kind, p.detail.object_kind)
CK_DEFINE_STRING(ck_error, object_id, p.detail.object_id)
CK_DEFINE_STRING(ck_error, path, p.detail.path)
CK_DEFINE_STRING(ck_error, hint, p.detail.hint)
CK_DEFINE_VALUE(ck_error, retryable, uint8_t, p.detail.retryable ? 1 : 0)
CK_DEFINE_VALUE(ck_error, callback_code, int32_t, p.callback_code)
