// Reading JSON from strangers: capped, strict, and errors that name the place.
#ifndef CONTAINERKIT_LIB_BASE_JSON_H_
#define CONTAINERKIT_LIB_BASE_JSON_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit {

// What ParseJson() accepts at most.
struct JsonLimits {
  size_t max_bytes = 4 << 20;
  // Nesting of objects and arrays.
  int max_depth = 64;
  // Values of any kind, which bounds the memory.
  size_t max_values = 200000;
};

// Parses one JSON text: RFC 8259, valid UTF-8, no duplicate keys, nothing
// after the value, no number out of double's range.
//
// Trust: `text` may be hostile; time and memory are bounded by `limits`.
// Errors: INVALID_ARGUMENT / kInvalidJson or kLimitExceeded. Never throws.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text,
                                         const JsonLimits& limits = {});

// The value as compact JSON with sorted keys. Bytes that are not UTF-8 become
// U+FFFD. Never throws.
std::string DumpJson(const nlohmann::json& value);

// Whether DumpJson() keeps every byte and JsonNode can read it back: UTF-8
// without NUL.
bool IsJsonText(absl::string_view text);

// The same for all strings and keys of a value.
//
// Errors: INVALID_ARGUMENT / kInvalidArgument naming the first place that is
// not, e.g. "Env[3] is not UTF-8".
absl::Status CheckJsonText(const nlohmann::json& value,
                           absl::string_view operation);

class JsonDocument;

// One place in a JsonDocument, perhaps one that is not there. Reading a place
// of the wrong type gives an empty value and records an error in the
// document, so a parser reads everything first and looks at
// JsonDocument::status() once.
//
// A null is taken as absent. Valid while the document lives.
class JsonNode {
 public:
  // False for a missing member and for null.
  bool present() const;
  bool is_object() const;
  bool is_array() const;
  bool is_string() const;

  // A member of an object; absent when there is none.
  JsonNode Get(absl::string_view key) const;
  // The elements of an array; empty when absent.
  std::vector<JsonNode> Elements() const;
  // The members of an object, sorted by key; empty when absent. The key views
  // live as long as the document.
  std::vector<std::pair<absl::string_view, JsonNode>> Members() const;

  // Scalars; `absent` is what a missing value reads as. Strings with a NUL
  // and numbers with a fraction or out of range are errors.
  std::string String(absl::string_view absent = "") const;
  int64_t Int64(int64_t absent = 0) const;
  uint64_t Uint64(uint64_t absent = 0) const;
  double Double(double absent = 0) const;
  bool Bool(bool absent = false) const;

  // String(), and an error when missing or empty.
  std::string RequiredString() const;
  // Array of strings; a null element reads as "".
  std::vector<std::string> Strings() const;
  // As Strings(), nullopt when absent.
  std::optional<std::vector<std::string>> OptionalStrings() const;
  // Object of strings; a null value reads as "".
  std::map<std::string, std::string> StringMap() const;
  // The keys of an object, whatever their values are.
  std::set<std::string> Keys() const;

  // Records INVALID_ARGUMENT / kInvalidJson "path: message".
  void Fail(absl::string_view message) const;
  // Records `error`, prefixed with the path.
  void Fail(const absl::Status& error) const;

  // "config.Env[3]"; "document" for the root.
  std::string Path() const;
  // The value; null when absent.
  const nlohmann::json* value() const { return value_; }

 private:
  friend class JsonDocument;
  struct State;
  JsonNode(State* state, const nlohmann::json* value,
           const nlohmann::json* parent, absl::string_view key)
      : state_(state), value_(value), parent_(parent), key_(key) {}
  // Records an error unless the value has the wanted type; false if absent or
  // wrong.
  bool Want(bool matches, absl::string_view type) const;

  State* state_;
  const nlohmann::json* value_;
  // For the path of a place that is missing.
  const nlohmann::json* parent_;
  std::string key_;
};

// A parsed JSON text and the first error met while reading it.
//
// Movable; one thread at a time.
class JsonDocument {
 public:
  // As ParseJson(). `operation` goes into the errors, e.g. "manifest.parse".
  static absl::StatusOr<JsonDocument> Parse(absl::string_view text,
                                            absl::string_view operation,
                                            const JsonLimits& limits = {});
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonNode root() const;
  // OK, or the first error that a JsonNode of this document recorded.
  absl::Status status() const;

 private:
  explicit JsonDocument(std::unique_ptr<JsonNode::State> state);
  std::unique_ptr<JsonNode::State> state_;
};

}  // namespace containerkit

#endif  // CONTAINERKIT_LIB_BASE_JSON_H_
