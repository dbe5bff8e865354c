// Text in fixed buffers: what the helper has instead of printf and strings.
#ifndef CONTAINERKIT_LIB_RUNTIME_CHILD_TEXT_H_
#define CONTAINERKIT_LIB_RUNTIME_CHILD_TEXT_H_

#include <stddef.h>
#include <stdint.h>

namespace containerkit::runtime::child {

// Bytes with their size; those of a plan have a NUL behind them.
struct Str {
  const char* data = "";
  uint32_t size = 0;
  bool empty() const { return size == 0; }
  const char* c_str() const { return data; }
};

Str ToStr(const char* text);

// Writes text into a caller's buffer, always NUL-terminated; what does not fit
// is cut and noticed.
class Text {
 public:
  Text(char* buffer, size_t capacity) : buffer_(buffer), capacity_(capacity) {
    buffer_[0] = '\0';
  }
  Text& Add(const char* text);
  Text& Add(Str text);
  Text& AddBytes(const char* data, size_t size);
  Text& AddChar(char c) { return AddBytes(&c, 1); }
  Text& AddInt(int64_t value);
  // Zero-padded to `digits`.
  Text& AddPadded(uint64_t value, int digits);

  const char* c_str() const { return buffer_; }
  size_t size() const { return size_; }
  bool cut() const { return cut_; }

 private:
  char* buffer_;
  size_t capacity_;
  size_t size_ = 0;
  bool cut_ = false;
};

// Decimal digits at `text`, after spaces. False: there are none, or too many.
bool ParseInt(const char* text, uint64_t* value);
bool Equal(const char* a, const char* b);
bool StartsWith(const char* text, const char* prefix);
// The byte's last position in the text, or null.
const char* FindLast(const char* text, char c);
const char* Find(const char* text, const char* part);

// RFC 3339 with nanoseconds and 'Z'; at most 30 bytes.
void AddTime(Text& out, int64_t realtime_ns);

// One JSON string's content: escapes what JSON needs escaped and replaces
// invalid UTF-8 by U+FFFD. Returns how many bytes were written to `out`, which
// has room for 6 bytes for each byte of input.
//
// Trust: `data` is what a container printed.
size_t EscapeJson(const char* data, size_t size, char* out);

}  // namespace containerkit::runtime::child

#endif  // CONTAINERKIT_LIB_RUNTIME_CHILD_TEXT_H_
