// Gives every seed of a corpus to the fuzz target, and small changes of it:
// each prefix, and at each place some bytes that parsers trip over. The same
// inputs in every run, with any compiler.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

constexpr char kBytes[] = {'\0', '"', '\\', '/', ':', '@',  '{',    '[',   ',',
                           '.',  '-', '0',  'A', ' ', '\n', '\x7f', '\xff'};

void Run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()),
                         input.size());
}

bool Read(const char* path, std::string* content) {
  FILE* const file = fopen(path, "rbe");
  if (file == nullptr) return false;
  char buffer[4096];
  size_t n = 0;
  while ((n = fread(buffer, 1, sizeof buffer, file)) > 0) {
    content->append(buffer, n);
  }
  return fclose(file) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "no corpus\n");
    return 1;
  }
  // Bounds the time: of longer seeds only the beginning is changed.
  const size_t max_changed = strtoul(argv[1], nullptr, 10);
  Run("");
  for (int i = 2; i < argc; ++i) {
    std::string seed;
    if (!Read(argv[i], &seed)) {
      perror(argv[i]);
      return 1;
    }
    Run(seed);
    Run(seed + seed);
    const size_t changed = std::min(seed.size(), max_changed);
    for (size_t at = 0; at < changed; ++at) {
      Run(seed.substr(0, at));
      Run(seed.substr(at));
      std::string copy = seed;
      for (const char c : kBytes) {
        copy[at] = c;
        Run(copy);
      }
      copy = seed;
      copy.erase(at, 1);
      Run(copy);
    }
  }
  printf("replayed %d seeds\n", argc - 2);
  return 0;
}
