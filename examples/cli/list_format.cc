#include "examples/cli/list_format.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "examples/cli/go_format.h"
#include "examples/cli/status_util.h"
#include "nlohmann/json.hpp"

namespace containerkit::cli {
namespace {

using Json = nlohmann::json;
using Methods = std::map<std::string, TemplateMethod>;

constexpr char kLabels[] = "LabelMap";

absl::StatusOr<std::string> LabelName(std::span<const Json> arguments) {
  if (arguments.size() != 1 || !arguments[0].is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "wrong number of args for Label: want 1 got ", arguments.size()));
  }
  return arguments[0].get<std::string>();
}

absl::StatusOr<std::string> Execute(const Template& compiled,
                                    const TemplateData& data) {
  absl::StatusOr<std::string> text = compiled.Execute(data);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(
      absl::StrCat("failed to execute template: ", text.status().message()));
}

absl::StatusOr<std::string> Heading(const ListSpec& spec,
                                    const Template& compiled) {
  Json names = Json::object();
  for (const ListColumn& column : spec.columns) {
    names[std::string(column.field)] = std::string(column.heading);
  }
  // The heading of {{.Label "com.example.my-key"}} is "my key".
  const Methods methods = {
      {"Label", [](std::span<const Json> arguments) -> absl::StatusOr<Json> {
         CLI_ASSIGN_OR_RETURN(const std::string name, LabelName(arguments));
         const absl::string_view last =
             absl::string_view(name).substr(name.rfind('.') + 1);
         return Json(absl::StrReplaceAll(last, {{"-", " "}, {"_", " "}}));
       }}};
  return Execute(compiled, {.root = &names,
                            .methods = &methods,
                            .type_name = std::string(spec.type_name),
                            .header = true});
}

absl::StatusOr<std::string> Row(const ListSpec& spec, const Template& compiled,
                                const Json& row) {
  Json labels = row.value(kLabels, Json::object());
  const Methods methods = {
      {"Label",
       [&labels](std::span<const Json> arguments) -> absl::StatusOr<Json> {
         CLI_ASSIGN_OR_RETURN(const std::string name, LabelName(arguments));
         return labels.value(name, Json(""));
       }}};
  Json fields = row;
  fields.erase(kLabels);
  return Execute(compiled, {.root = &fields,
                            .methods = &methods,
                            .type_name = std::string(spec.type_name)});
}

}  // namespace

absl::StatusOr<std::string> FormatList(const ListSpec& spec,
                                       absl::string_view format,
                                       std::span<const Json> rows) {
  absl::string_view text = absl::StripAsciiWhitespace(format);
  bool table = text.empty();
  if (absl::StartsWith(text, "table")) {
    table = true;
    text = absl::StripAsciiWhitespace(text.substr(5));
  }
  if (table && text.empty()) text = spec.default_table;
  if (text == "json") text = "{{json .}}";
  const std::string source =
      absl::StrReplaceAll(text, {{"\\t", "\t"}, {"\\n", "\n"}});
  const absl::StatusOr<Template> compiled = Template::Parse(source);
  if (!compiled.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "failed to parse template: ", compiled.status().message()));
  }
  std::string out;
  if (table) {
    CLI_ASSIGN_OR_RETURN(const std::string heading, Heading(spec, *compiled));
    absl::StrAppend(&out, heading, "\n");
  }
  for (const Json& row : rows) {
    CLI_ASSIGN_OR_RETURN(const std::string line, Row(spec, *compiled, row));
    absl::StrAppend(&out, line, "\n");
  }
  return table ? AlignTabs(out) : out;
}

std::string AlignTabs(absl::string_view text, size_t min_width,
                      size_t padding) {
  absl::string_view body = text;
  const bool newline = absl::ConsumeSuffix(&body, "\n");
  std::vector<std::vector<absl::string_view>> lines;
  for (const absl::string_view line : absl::StrSplit(body, '\n')) {
    lines.push_back(absl::StrSplit(line, '\t'));
  }
  // A column is a run of lines that have a tab behind the cell; widths[i][c]
  // is that of cell c in line i.
  std::vector<std::vector<size_t>> widths(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) {
    for (size_t c = widths[i].size(); c + 1 < lines[i].size(); ++c) {
      size_t width = min_width;
      size_t end = i;
      for (; end < lines.size() && lines[end].size() > c + 1; ++end) {
        width = std::max(width, RuneCount(lines[end][c]) + padding);
      }
      for (size_t j = i; j < end; ++j) widths[j].push_back(width);
    }
  }
  std::string out;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) out += "\n";
    for (size_t c = 0; c < lines[i].size(); ++c) {
      absl::StrAppend(&out, lines[i][c]);
      if (c < widths[i].size()) {
        out.append(widths[i][c] - RuneCount(lines[i][c]), ' ');
      }
    }
  }
  return newline ? out + "\n" : out;
}

std::string Ellipsis(absl::string_view text, size_t width) {
  if (RuneCount(text) <= width) return std::string(text);
  if (width == 0) return "";
  return absl::StrCat(FirstRunes(text, width - 1), "…");
}

bool FormatMentions(absl::string_view format, absl::string_view field) {
  return absl::StrContains(format, absl::StrCat(".", field)) ||
         absl::StrContains(format, "json");
}

}  // namespace containerkit::cli
