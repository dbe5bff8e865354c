#include "examples/cli/pull_progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "examples/cli/go_format.h"
#include "examples/cli/output.h"
#include "examples/cli/units.h"

namespace containerkit::cli {
namespace {

using Phase = PullProgress::Phase;

// Redraws of one line within this time are left out.
constexpr absl::Duration kRedrawInterval = absl::Milliseconds(100);

absl::string_view PhaseText(Phase phase) {
  switch (phase) {
    case Phase::kResolving:
      return "Resolving";
    case Phase::kWaiting:
      return "Pulling fs layer";
    case Phase::kDownloading:
      return "Downloading";
    case Phase::kExtracting:
      return "Extracting";
    case Phase::kExists:
      return "Already exists";
    case Phase::kDone:
      return "Pull complete";
    case Phase::kRetrying:
      return "Retrying";
  }
  return "";
}

}  // namespace

std::string ProgressBar(uint64_t current_bytes, uint64_t total_bytes,
                        int columns) {
  const std::string current = HumanSize(static_cast<double>(current_bytes));
  if (total_bytes == 0) return current;
  const std::string numbers =
      absl::StrCat(absl::StrFormat("%8s", current), "/",
                   HumanSize(static_cast<double>(total_bytes)));
  // docker's bar: 50 wide, none on a narrow terminal.
  constexpr int kWide = 110;
  constexpr int kNarrow = 60;
  if (columns < kNarrow) return numbers;
  const int width = columns >= kWide ? 50 : 50 - (kWide - columns) / 2;
  if (width < 5) return numbers;
  const double share = std::min(1.0, static_cast<double>(current_bytes) /
                                         static_cast<double>(total_bytes));
  const int filled = static_cast<int>(share * width);
  std::string bar(static_cast<size_t>(filled), '=');
  if (filled < width) bar += ">";
  bar.resize(static_cast<size_t>(width), ' ');
  return absl::StrCat("[", bar, "]  ", numbers);
}

std::string PullProgressText::LineText(const PullProgress& report) const {
  std::string text =
      absl::StrCat(Printable(report.layer_id), ": ", PhaseText(report.phase));
  const bool moves =
      report.phase == Phase::kDownloading || report.phase == Phase::kExtracting;
  if (moves && columns_ > 0) {
    absl::StrAppend(
        &text, " ",
        ProgressBar(report.current_bytes, report.total_bytes, columns_));
  }
  if (report.phase == Phase::kRetrying && !report.message.empty()) {
    absl::StrAppend(&text, ": ", Printable(report.message));
  }
  if (columns_ <= 0) return text;
  // A line that wraps would spoil the cursor's arithmetic.
  return std::string(FirstRunes(text, static_cast<size_t>(columns_ - 1)));
}

std::string PullProgressText::Update(const PullProgress& report,
                                     absl::Time now) {
  if (report.layer_id.empty()) return "";
  fetched_ = fetched_ || report.phase == Phase::kDownloading ||
             report.phase == Phase::kExtracting;
  auto line = std::find_if(
      lines_.begin(), lines_.end(),
      [&](const Line& known) { return known.id == report.layer_id; });
  const bool is_new = line == lines_.end();
  if (is_new) {
    lines_.push_back({.id = report.layer_id});
    line = lines_.end() - 1;
  } else if (line->phase == report.phase &&
             (columns_ <= 0 || now - line->drawn < kRedrawInterval)) {
    return "";
  }
  std::string text = LineText(report);
  if (!is_new && text == line->text) return "";
  line->phase = report.phase;
  line->text = text;
  line->drawn = now;
  if (columns_ <= 0 || is_new) return absl::StrCat(text, "\n");
  const auto up = lines_.end() - line;
  return absl::StrCat("\x1b[", up, "A\x1b[2K\r", text, "\x1b[", up, "B\r");
}

}  // namespace containerkit::cli
