// Making and passing on errors: one ErrorDetail at the leaf, one short prefix
// a layer (docs/conventions.md, section 6).
#ifndef CONTAINERKIT_LIB_BASE_STATUS_H_
#define CONTAINERKIT_LIB_BASE_STATUS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "containerkit/status.h"

namespace containerkit {

// A failed status with its detail; `message` in lower case, no period.
absl::Status MakeError(absl::StatusCode code, absl::string_view message,
                       ErrorDetail detail);

// The leaf of a failed system call: message "call(path): strerror", code from
// errno, reason kSystemCall (kDiskFull for ENOSPC and EDQUOT). `operation` as
// in ErrorDetail; `call` the system call's name.
absl::Status SyscallError(int os_errno, absl::string_view operation,
                          absl::string_view call, absl::string_view path = "");

// SyscallError with another reason than the generic one.
absl::Status SyscallError(int os_errno, absl::string_view operation,
                          absl::string_view call, absl::string_view path,
                          Reason reason);

// Shorthands for leaves without errno.
absl::Status InvalidArgument(Reason reason, absl::string_view operation,
                             absl::string_view message);
absl::Status NotFound(Reason reason, absl::string_view operation,
                      absl::string_view message);
absl::Status FailedPrecondition(Reason reason, absl::string_view operation,
                                absl::string_view message);
absl::Status Unimplemented(Reason reason, absl::string_view operation,
                           absl::string_view message);
absl::Status InternalError(absl::string_view operation,
                           absl::string_view message);

// Puts "prefix: " before the message; code and payload stay.
absl::Status Prefix(const absl::Status& status, absl::string_view prefix);

// Replaces the detail of a failed status (used by MakeError and decoders).
void SetErrorDetail(absl::Status& status, const ErrorDetail& detail);

// Names the object that a failed status is about, unless it already has one.
absl::Status WithObject(const absl::Status& status, absl::string_view kind,
                        absl::string_view id);

// Cleanup after a failure: the first error wins, the later one is appended
// as "; also: ...".
absl::Status FirstError(absl::Status first, const absl::Status& later);

namespace internal {

// What CK_RETURN_IF_ERROR streams its prefix into.
class StatusPrefixer {
 public:
  explicit StatusPrefixer(absl::Status status) : status_(std::move(status)) {}
  template <typename T>
  StatusPrefixer& operator<<(const T& part) {
    absl::StrAppend(&prefix_, part);
    return *this;
  }
  operator absl::Status() const {
    return prefix_.empty() ? status_ : Prefix(status_, prefix_);
  }
  template <typename T>
  operator absl::StatusOr<T>() const {
    return static_cast<absl::Status>(*this);
  }

 private:
  absl::Status status_;
  std::string prefix_;
};

}  // namespace internal

// CK_RETURN_IF_ERROR(expr) << "prefix " << name;
#define CK_RETURN_IF_ERROR(expr)                   \
  if (auto ck_status_ = (expr); ck_status_.ok()) { \
  } else                                           \
    return ::containerkit::internal::StatusPrefixer(std::move(ck_status_))

// CK_ASSIGN_OR_RETURN(lhs, expr [, prefix...]); the prefix is StrCat'ed.
#define CK_ASSIGN_OR_RETURN(lhs, expr, ...)                                \
  CK_ASSIGN_OR_RETURN_IMPL_(CK_CONCAT_(ck_statusor_, __LINE__), lhs, expr, \
                            ##__VA_ARGS__)
#define CK_CONCAT_INNER_(a, b) a##b
#define CK_CONCAT_(a, b) CK_CONCAT_INNER_(a, b)
#define CK_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr, ...)                \
  auto tmp = (expr);                                                  \
  if (!tmp.ok())                                                      \
    return ::containerkit::Prefix(tmp.status(),                       \
                                  ::absl::StrCat("", ##__VA_ARGS__)); \
  lhs = *std::move(tmp)

}  // namespace containerkit

#endif  // CONTAINERKIT_LIB_BASE_STATUS_H_
