// What `ck pull` shows while it pulls: a line a layer, redrawn in place on a
// terminal, written once a phase elsewhere.
#ifndef CONTAINERKIT_EXAMPLES_CLI_PULL_PROGRESS_H_
#define CONTAINERKIT_EXAMPLES_CLI_PULL_PROGRESS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "containerkit/image.h"

namespace containerkit::cli {

// Pure: turns reports into the text to write. Calls come one at a time.
class PullProgressText final {
 public:
  // `columns`: the terminal's width; 0: no terminal.
  explicit PullProgressText(int columns) : columns_(columns) {}

  // What to write for a report that arrives at `now`; often nothing.
  std::string Update(const PullProgress& report, absl::Time now);

  // Whether a layer was fetched, as opposed to being there before.
  bool fetched() const { return fetched_; }

 private:
  struct Line {
    std::string id;
    PullProgress::Phase phase = PullProgress::Phase::kResolving;
    std::string text;
    absl::Time drawn = absl::InfinitePast();
  };

  std::string LineText(const PullProgress& report) const;

  const int columns_;
  std::vector<Line> lines_;
  bool fetched_ = false;
};

// "[=====>     ]  1.2MB/3.4MB", as wide as the terminal allows.
std::string ProgressBar(uint64_t current_bytes, uint64_t total_bytes,
                        int columns);

}  // namespace containerkit::cli

#endif  // CONTAINERKIT_EXAMPLES_CLI_PULL_PROGRESS_H_
