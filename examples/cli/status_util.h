// Handing failed statuses on; the library's own macros are not public.
#ifndef CONTAINERKIT_EXAMPLES_CLI_STATUS_UTIL_H_
#define CONTAINERKIT_EXAMPLES_CLI_STATUS_UTIL_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CLI_RETURN_IF_ERROR(expr) \
  if (absl::Status cli_status_ = (expr); !cli_status_.ok()) return cli_status_

#define CLI_ASSIGN_OR_RETURN(lhs, expr) \
  CLI_ASSIGN_OR_RETURN_IMPL_(CLI_CONCAT_(cli_statusor_, __LINE__), lhs, expr)
#define CLI_CONCAT_INNER_(a, b) a##b
#define CLI_CONCAT_(a, b) CLI_CONCAT_INNER_(a, b)
#define CLI_ASSIGN_OR_RETURN_IMPL_(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  if (!tmp.ok()) return std::move(tmp).status();   \
  lhs = *std::move(tmp)

#endif  // CONTAINERKIT_EXAMPLES_CLI_STATUS_UTIL_H_
