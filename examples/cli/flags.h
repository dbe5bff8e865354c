// Command-line flags with docker's rules, from one table a command.
//
// The rules are those of Go's pflag: `--name value`, `--name=value`, `-itv X`,
// `-vX`, `-v=X`, `--rm=false`, repeated flags, the next word is a flag's value
// even when it starts with a dash, names are never abbreviated, and commands
// that run something stop at the first word that is not a flag. Neither CLI11
// (takes `-e -x` for two flags, has its own messages) nor getopt_long (takes
// any prefix of a name, no `-t=false`) can be told all of that.
#ifndef CONTAINERKIT_EXAMPLES_CLI_FLAGS_H_
#define CONTAINERKIT_EXAMPLES_CLI_FLAGS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace containerkit::cli {

// One line of a command's table.
struct Flag {
  absl::string_view name;  // without dashes
  char shorthand;          // '\0': none
  absl::string_view type;  // in the help text; empty: a switch
  absl::string_view help;
  // Reads `value` into the command's options structure.
  absl::Status (*set)(void* options, absl::string_view value);
  absl::string_view default_value = "";  // in the help text
};

struct ParsedFlags {
  bool help = false;
  std::vector<std::string> arguments;  // what is not a flag
};

// Errors: INVALID_ARGUMENT with pflag's words, e.g. "unknown flag: --x".
absl::StatusOr<ParsedFlags> ParseFlags(std::span<const Flag> flags,
                                       std::span<const char* const> words,
                                       bool interspersed, void* options);

// The "Options:" paragraph of a help text, 80 columns wide.
std::string FlagUsage(std::span<const Flag> flags);

// What a value of a type is read from. Lists grow by one value a flag.
absl::Status StoreFlag(bool& target, absl::string_view value);
absl::Status StoreFlag(int& target, absl::string_view value);
absl::Status StoreFlag(int64_t& target, absl::string_view value);
absl::Status StoreFlag(uint64_t& target, absl::string_view value);
absl::Status StoreFlag(uint16_t& target, absl::string_view value);
absl::Status StoreFlag(std::string& target, absl::string_view value);
absl::Status StoreFlag(std::vector<std::string>& target,
                       absl::string_view value);
absl::Status StoreFlag(absl::Duration& target, absl::string_view value);

template <typename T>
absl::Status StoreFlag(std::optional<T>& target, absl::string_view value) {
  T parsed{};
  absl::Status status = StoreFlag(parsed, value);
  if (status.ok()) target = std::move(parsed);
  return status;
}

namespace internal {

template <typename T>
struct MemberOf;
template <typename Class, typename T>
struct MemberOf<T Class::*> {
  using Owner = Class;
};

template <auto First, auto... Rest>
auto& Resolve(typename MemberOf<decltype(First)>::Owner& owner) {
  if constexpr (sizeof...(Rest) == 0) {
    return owner.*First;
  } else {
    return Resolve<Rest...>(owner.*First);
  }
}

}  // namespace internal

// The member at the end of a path of members, e.g.
// FlagTarget<&RunOptions::config, &ContainerConfig::hostname>(options).
//
// gcc 12 gives the instances external linkage even when the structure is in an
// unnamed namespace: the structures of two files must not share a name.
template <auto First, auto... Rest>
auto& FlagTarget(void* options) {
  using Owner = typename internal::MemberOf<decltype(First)>::Owner;
  return internal::Resolve<First, Rest...>(*static_cast<Owner*>(options));
}

// A Flag::set that stores the value as it is.
template <auto... Path>
absl::Status Set(void* options, absl::string_view value) {
  return StoreFlag(FlagTarget<Path...>(options), value);
}

// A Flag::set that reads "64m" as bytes.
absl::StatusOr<int64_t> ParseByteFlag(absl::string_view value);
template <auto... Path>
absl::Status SetBytes(void* options, absl::string_view value) {
  const absl::StatusOr<int64_t> bytes = ParseByteFlag(value);
  if (bytes.ok()) FlagTarget<Path...>(options) = *bytes;
  return bytes.status();
}

// A Flag::set that takes whole seconds, -1 for ever.
template <auto... Path>
absl::Status SetSeconds(void* options, absl::string_view value) {
  int64_t seconds = 0;
  absl::Status status = StoreFlag(seconds, value);
  if (status.ok()) {
    FlagTarget<Path...>(options) =
        seconds < 0 ? absl::InfiniteDuration() : absl::Seconds(seconds);
  }
  return status;
}

// A Flag::set that takes "key=value" into a multimap, as --filter does.
absl::StatusOr<std::pair<std::string, std::string>> ParseFilterFlag(
    absl::string_view value);
template <auto... Path>
absl::Status SetFilter(void* options, absl::string_view value) {
  auto filter = ParseFilterFlag(value);
  if (filter.ok()) FlagTarget<Path...>(options).insert(*std::move(filter));
  return filter.status();
}

// The help of --format where a list is printed.
inline constexpr absl::string_view kFormatHelp =
    "Format output using a custom template: 'table' (default), 'table "
    "TEMPLATE', 'json' or 'TEMPLATE', in the language of Go templates";

// A Flag::set for flags that docker still takes and does nothing with.
inline absl::Status IgnoreFlag(void*, absl::string_view) {
  return absl::OkStatus();
}

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_FLAGS_H_
