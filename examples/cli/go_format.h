// Values and strings as Go's fmt and strconv print them.
#ifndef CONTAINERKIT_EXAMPLES_CLI_GO_FORMAT_H_
#define CONTAINERKIT_EXAMPLES_CLI_GO_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "nlohmann/json_fwd.hpp"

namespace containerkit::cli {

// strconv.Quote.
std::string GoQuote(absl::string_view text);

// Takes the quotes (" or ') off and resolves escapes. False: bad syntax.
bool GoUnquote(absl::string_view quoted, std::string* text);

// The first code point of UTF-8 text, 0 when empty; a byte that is not UTF-8
// counts as one code point of its own.
uint32_t FirstRune(absl::string_view text);
size_t RuneCount(absl::string_view text);
// The first `count` code points.
absl::string_view FirstRunes(absl::string_view text, size_t count);

// A floating-point number as %v prints it: the shortest that reads back.
std::string GoFloat(double value);

// %v: strings bare, lists as [a b], objects as map[k:v], null as <nil>.
std::string GoPrint(const nlohmann::json& value);

// fmt.Sprintf with the verbs %v %s %q %d %x %X %o %b %c %e %f %g %t %T %U %%,
// flags, width and precision. Mistakes are reported as Go does, in the text.
std::string GoSprintf(absl::string_view format,
                      std::span<const nlohmann::json> arguments);

// fmt.Sprint: a space between operands when neither is a string.
std::string GoSprint(std::span<const nlohmann::json> arguments);

// json.Marshal without HTML escapes, as docker's {{json}} writes it.
std::string GoJson(const nlohmann::json& value);

// The same over several lines, four spaces a level, as docker's inspect.
std::string GoJsonIndented(const nlohmann::json& value);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_GO_FORMAT_H_
