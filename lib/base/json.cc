#include "lib/base/json.h"

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "lib/base/status.h"
#include "nlohmann/json.hpp"

namespace containerkit {
namespace {

using Json = nlohmann::json;

absl::Status BadJson(absl::string_view operation, absl::string_view message) {
  return InvalidArgument(Reason::kInvalidJson, operation, message);
}

// Builds the tree and stops at the first broken rule. nlohmann's parser keeps
// its own stack on the heap, so depth cannot overflow ours.
class StrictBuilder final : public nlohmann::json_sax<Json> {
 public:
  StrictBuilder(const JsonLimits& limits, Json* root)
      : limits_(limits), root_(root) {}

  const absl::Status& error() const { return error_; }

  bool null() override { return Add(Json(nullptr)) != nullptr; }
  bool boolean(bool v) override { return Add(Json(v)) != nullptr; }
  bool number_integer(number_integer_t v) override {
    return Add(Json(v)) != nullptr;
  }
  bool number_unsigned(number_unsigned_t v) override {
    return Add(Json(v)) != nullptr;
  }
  bool number_float(number_float_t v, const string_t&) override {
    return Add(Json(v)) != nullptr;
  }
  bool string(string_t& v) override {
    return Add(Json(std::move(v))) != nullptr;
  }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return Open(Json::object()); }
  bool start_array(size_t) override { return Open(Json::array()); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }

  bool key(string_t& v) override {
    Json& object = *stack_.back();
    if (object.contains(v)) {
      error_ = BadJson(
          "json.parse",
          absl::StrCat("duplicate key \"", absl::CHexEscape(Cut(v)), "\""));
      return false;
    }
    slot_ = &object[std::move(v)];
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const Json::exception& e) override {
    // The exception's text quotes the input; only its number is ours to show.
    const char* what =
        e.id == 101 ? "syntax error"
                    : (e.id == 406 ? "number out of range" : "invalid value");
    error_ = BadJson("json.parse", absl::StrCat("invalid JSON: ", what,
                                                " at byte ", position));
    return false;
  }

 private:
  static absl::string_view Cut(absl::string_view text) {
    return text.substr(0, 80);
  }

  bool Exceeded(absl::string_view what, size_t limit) {
    error_ =
        InvalidArgument(Reason::kLimitExceeded, "json.parse",
                        absl::StrCat("JSON has more than ", limit, " ", what));
    return false;
  }

  Json* Add(Json value) {
    if (++values_ > limits_.max_values) {
      Exceeded("values", limits_.max_values);
      return nullptr;
    }
    if (stack_.empty()) {
      *root_ = std::move(value);
      return root_;
    }
    if (stack_.back()->is_array()) {
      stack_.back()->push_back(std::move(value));
      return &stack_.back()->back();
    }
    *slot_ = std::move(value);
    return slot_;
  }

  bool Open(Json container) {
    if (stack_.size() >= static_cast<size_t>(limits_.max_depth)) {
      return Exceeded("levels", limits_.max_depth);
    }
    Json* const added = Add(std::move(container));
    if (added == nullptr) return false;
    stack_.push_back(added);
    return true;
  }

  bool Close() {
    stack_.pop_back();
    return true;
  }

  const JsonLimits limits_;
  Json* const root_;
  // Open containers. An element's address is stable while it is open: its
  // parent only grows after it is closed.
  std::vector<Json*> stack_;
  Json* slot_ = nullptr;
  size_t values_ = 0;
  absl::Status error_;
};

// The way from `from` to the value at `target`, which is found by address.
bool FindPath(const Json& from, const Json* target, std::string* path) {
  if (&from == target) return true;
  if (from.is_array()) {
    size_t i = 0;
    for (const Json& element : from) {
      if (FindPath(element, target, path)) {
        *path = absl::StrCat("[", i, "]", *path);
        return true;
      }
      ++i;
    }
  } else if (from.is_object()) {
    for (const auto& [key, element] : from.items()) {
      if (FindPath(element, target, path)) {
        *path = absl::StrCat(".", absl::CHexEscape(key.substr(0, 80)), *path);
        return true;
      }
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view text,
                               const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return InvalidArgument(
        Reason::kLimitExceeded, "json.parse",
        absl::StrCat("JSON is larger than ", limits.max_bytes, " bytes"));
  }
  // nlohmann's lexer takes a NUL for the end of the input.
  if (text.find('\0') != absl::string_view::npos) {
    return BadJson("json.parse", "invalid JSON: NUL byte");
  }
  Json root;
  StrictBuilder builder(limits, &root);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    if (builder.error().ok()) return BadJson("json.parse", "invalid JSON");
    return builder.error();
  }
  return root;
}

namespace {

// Bytes of the UTF-8 sequence that `text` starts with; 0: none, or a NUL.
size_t SequenceSize(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return lead == 0 ? 0 : 1;
  const size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  uint32_t code = lead & (0xff >> (size + 1));
  for (size_t i = 1; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  return code < kLeast[size] || surrogate || code > 0x10ffff ? 0 : size;
}

// "Env[3]" of the first string that is no text; empty: there is none.
std::string PlaceOfBadText(const Json& value, const std::string& place) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    return IsJsonText(text) ? "" : place;
  }
  if (!value.is_structured()) return "";
  size_t index = 0;
  for (const auto& item : value.items()) {
    std::string at = absl::StrCat(place, "[", index++, "]");
    if (value.is_object()) {
      const std::string key = absl::CHexEscape(item.key());
      at = place.empty() ? key : absl::StrCat(place, ".", key);
      if (!IsJsonText(item.key())) return at;
    }
    std::string bad = PlaceOfBadText(item.value(), at);
    if (!bad.empty()) return bad;
  }
  return "";
}

}  // namespace

bool IsJsonText(absl::string_view text) {
  while (!text.empty()) {
    const size_t size = SequenceSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

absl::Status CheckJsonText(const Json& value, absl::string_view operation) {
  const std::string place = PlaceOfBadText(value, "");
  if (place.empty()) return absl::OkStatus();
  return InvalidArgument(Reason::kInvalidArgument, operation,
                         absl::StrCat(place, " is not UTF-8, or has a NUL"));
}

std::string DumpJson(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct JsonNode::State {
  Json root;
  std::string operation;
  absl::Status error;
};

bool JsonNode::present() const {
  return value_ != nullptr && !value_->is_null();
}
bool JsonNode::is_object() const {
  return value_ != nullptr && value_->is_object();
}
bool JsonNode::is_array() const {
  return value_ != nullptr && value_->is_array();
}
bool JsonNode::is_string() const {
  return value_ != nullptr && value_->is_string();
}

std::string JsonNode::Path() const {
  std::string path;
  const Json* const known = value_ != nullptr ? value_ : parent_;
  if (known != nullptr) FindPath(state_->root, known, &path);
  if (value_ == nullptr) absl::StrAppend(&path, ".", key_);
  if (path.empty()) return "document";
  return path[0] == '.' ? path.substr(1) : path;
}

void JsonNode::Fail(absl::string_view message) const {
  if (!state_->error.ok()) return;
  state_->error =
      BadJson(state_->operation, absl::StrCat(Path(), ": ", message));
}

void JsonNode::Fail(const absl::Status& error) const {
  if (!state_->error.ok()) return;
  state_->error = Prefix(error, Path());
}

bool JsonNode::Want(bool matches, absl::string_view type) const {
  if (!present()) return false;
  if (!matches) {
    Fail(absl::StrCat("want ", type, ", got ", value_->type_name()));
  }
  return matches;
}

JsonNode JsonNode::Get(absl::string_view key) const {
  if (Want(is_object(), "an object")) {
    const auto it = value_->find(std::string(key));
    if (it != value_->end()) return JsonNode(state_, &*it, value_, key);
  }
  return JsonNode(state_, nullptr, value_, key);
}

std::vector<JsonNode> JsonNode::Elements() const {
  std::vector<JsonNode> nodes;
  if (!Want(is_array(), "an array")) return nodes;
  nodes.reserve(value_->size());
  for (const Json& element : *value_) {
    nodes.push_back(JsonNode(state_, &element, value_, ""));
  }
  return nodes;
}

std::vector<std::pair<absl::string_view, JsonNode>> JsonNode::Members() const {
  std::vector<std::pair<absl::string_view, JsonNode>> nodes;
  if (!Want(is_object(), "an object")) return nodes;
  for (auto it = value_->begin(); it != value_->end(); ++it) {
    nodes.emplace_back(it.key(), JsonNode(state_, &*it, value_, it.key()));
  }
  return nodes;
}

std::string JsonNode::String(absl::string_view absent) const {
  if (!Want(is_string(), "a string")) return std::string(absent);
  const std::string& text = value_->get_ref<const std::string&>();
  if (text.find('\0') != std::string::npos) {
    Fail("string contains NUL");
    return std::string(absent);
  }
  return text;
}

int64_t JsonNode::Int64(int64_t absent) const {
  if (!present()) return absent;
  if (!Want(value_->is_number_integer(), "an integer")) return absent;
  if (value_->is_number_unsigned() &&
      value_->get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
    Fail("integer out of range");
    return absent;
  }
  return value_->get<int64_t>();
}

uint64_t JsonNode::Uint64(uint64_t absent) const {
  if (!present()) return absent;
  if (!Want(value_->is_number_integer(), "an integer")) return absent;
  if (!value_->is_number_unsigned() && value_->get<int64_t>() < 0) {
    Fail("integer is negative");
    return absent;
  }
  return value_->get<uint64_t>();
}

double JsonNode::Double(double absent) const {
  if (!present()) return absent;
  return Want(value_->is_number(), "a number") ? value_->get<double>() : absent;
}

bool JsonNode::Bool(bool absent) const {
  if (!present()) return absent;
  return Want(value_->is_boolean(), "true or false") ? value_->get<bool>()
                                                     : absent;
}

std::string JsonNode::RequiredString() const {
  std::string text = String();
  if (text.empty()) Fail("missing or empty");
  return text;
}

std::vector<std::string> JsonNode::Strings() const {
  std::vector<std::string> strings;
  for (const JsonNode& node : Elements()) strings.push_back(node.String());
  return strings;
}

std::optional<std::vector<std::string>> JsonNode::OptionalStrings() const {
  if (!present()) return std::nullopt;
  return Strings();
}

std::map<std::string, std::string> JsonNode::StringMap() const {
  std::map<std::string, std::string> map;
  for (const auto& [key, node] : Members()) {
    if (key.find('\0') != absl::string_view::npos) node.Fail("key has a NUL");
    map.emplace(key, node.String());
  }
  return map;
}

std::set<std::string> JsonNode::Keys() const {
  std::set<std::string> keys;
  for (const auto& [key, node] : Members()) {
    if (key.find('\0') != absl::string_view::npos) node.Fail("key has a NUL");
    keys.emplace(key);
  }
  return keys;
}

absl::StatusOr<JsonDocument> JsonDocument::Parse(absl::string_view text,
                                                 absl::string_view operation,
                                                 const JsonLimits& limits) {
  absl::StatusOr<Json> root = ParseJson(text, limits);
  if (!root.ok()) {
    absl::Status status = root.status();
    ErrorDetail detail = GetErrorDetail(status).value_or(ErrorDetail{});
    detail.operation = std::string(operation);
    SetErrorDetail(status, detail);
    return status;
  }
  auto state = std::make_unique<JsonNode::State>();
  state->root = *std::move(root);
  state->operation = std::string(operation);
  return JsonDocument(std::move(state));
}

JsonDocument::JsonDocument(std::unique_ptr<JsonNode::State> state)
    : state_(std::move(state)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

JsonNode JsonDocument::root() const {
  return JsonNode(state_.get(), &state_->root, nullptr, "");
}

absl::Status JsonDocument::status() const { return state_->error; }

}  // namespace containerkit
