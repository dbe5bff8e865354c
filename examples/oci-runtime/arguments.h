// Command lines in the manner of runc: flags before or between arguments,
// "--flag value" or "--flag=value", one-letter forms.
#ifndef CONTAINERKIT_EXAMPLES_OCI_RUNTIME_ARGUMENTS_H_
#define CONTAINERKIT_EXAMPLES_OCI_RUNTIME_ARGUMENTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ck_oci {

// Which arguments are flags.
enum class FlagOrder {
  kAnywhere,      // all, up to "--"
  kBeforeFirst,   // those before the first other argument
  kBeforeSecond,  // those before the second one ("exec [FLAGS] ID [FLAGS] CMD")
};

// The flags of one command. Pointers are where values go; they outlive the
// Arguments.
class Arguments {
 public:
  // names: "bundle,b". help: one line; empty: not shown.
  void Bool(absl::string_view names, bool* value, absl::string_view help = "");
  void String(absl::string_view names, std::string* value,
              absl::string_view help = "");
  // May be given several times.
  void List(absl::string_view names, std::vector<std::string>* values,
            absl::string_view help = "");
  // A number that is not negative.
  void Count(absl::string_view names, int* value, absl::string_view help = "");

  // Sets the values; answers the arguments that are no flags.
  //
  // Errors: INVALID_ARGUMENT, with a message for the user.
  absl::StatusOr<std::vector<std::string>> Parse(
      const std::vector<std::string>& arguments, FlagOrder order) const;

  // One line a flag, in the order of their declaration.
  std::string Help() const;

 private:
  enum class Kind { kBool, kString, kList, kCount };
  struct Flag {
    std::vector<std::string> names;
    Kind kind;
    void* value;
    std::string help;
  };

  void Add(absl::string_view names, Kind kind, void* value,
           absl::string_view help);
  const Flag* Find(absl::string_view name) const;
  static absl::Status Set(const Flag& flag, absl::string_view name,
                          const std::string* value);

  std::vector<Flag> flags_;
};

}  // namespace ck_oci

#endif  // CONTAINERKIT_EXAMPLES_OCI_RUNTIME_ARGUMENTS_H_
