#include "lib/runtime/child/wire_reader.h"

#include <string.h>

namespace containerkit::runtime::child {
namespace {

template <typename T>
T Load(const char* at) {
  T value;
  memcpy(&value, at, sizeof value);
  return value;
}

// "U type,S path": the field letters of a step, or null.
const char* FieldsOf(uint16_t op) {
  switch (Op(op)) {
#define CK_OP(value, name, actor, fields) \
  case Op::k##name:                       \
    return fields;
#include "lib/runtime/plan_ops.inc"
#undef CK_OP
  }
  return nullptr;
}

// Checks fields against the bytes they are in.
class Checker {
 public:
  Checker(const char* at, size_t left) : at_(at), left_(left) {}

  bool Skip(size_t size) {
    if (size > left_) return false;
    at_ += size;
    left_ -= size;
    return true;
  }

  bool String() {
    if (left_ < sizeof(uint32_t)) return false;
    const uint32_t size = Load<uint32_t>(at_);
    if (!Skip(sizeof size) || size >= left_) return false;
    if (at_[size] != '\0') return false;
    return Skip(size_t{size} + 1);
  }

  bool Strings() {
    if (left_ < sizeof(uint32_t)) return false;
    const uint32_t count = Load<uint32_t>(at_);
    if (!Skip(sizeof count)) return false;
    for (uint32_t i = 0; i < count; ++i) {
      if (!String()) return false;
    }
    return true;
  }

  bool Field(char letter) {
    if (letter == 'U') return Skip(sizeof(uint64_t));
    if (letter == 'S') return String();
    return Strings();
  }

  bool AtEnd() const { return left_ == 0; }

 private:
  const char* at_;
  size_t left_;
};

bool ValidStep(uint16_t op, const char* at, size_t size) {
  const char* fields = FieldsOf(op);
  if (fields == nullptr) return false;
  Checker checker(at, size);
  for (bool first = true; *fields != '\0'; ++fields) {
    if (first && !checker.Field(*fields)) return false;
    first = *fields == ',';
  }
  return checker.AtEnd();
}

}  // namespace

char ActorOf(uint16_t op) {
  switch (Op(op)) {
#define CK_OP(value, name, actor, fields) \
  case Op::k##name:                       \
    return actor;
#include "lib/runtime/plan_ops.inc"
#undef CK_OP
  }
  return 0;
}

Str List::Take() {
  const Str item{at + sizeof(uint32_t), Load<uint32_t>(at)};
  at = item.data + item.size + 1;
  --count;
  return item;
}

uint64_t FieldReader::U() {
  const auto value = Load<uint64_t>(at_);
  at_ += sizeof value;
  return value;
}

Str FieldReader::S() {
  const Str value{at_ + sizeof(uint32_t), Load<uint32_t>(at_)};
  at_ = value.data + value.size + 1;
  return value;
}

List FieldReader::L() {
  const List list{Load<uint32_t>(at_), at_ + sizeof(uint32_t)};
  List walk = list;
  while (walk.count > 0) walk.Take();
  at_ = walk.at;
  return list;
}

bool Plan::Init(const void* bytes, size_t size) {
  const char* const data = static_cast<const char*>(bytes);
  if (size < sizeof(PlanHeader)) return false;
  const auto header = Load<PlanHeader>(data);
  if (header.magic != kPlanMagic || header.size != size) return false;
  if (header.step_count > 0xffff) return false;
  size_t at = sizeof header;
  for (uint32_t i = 0; i < header.step_count; ++i) {
    if (size - at < sizeof(StepHeader)) return false;
    const auto step = Load<StepHeader>(data + at);
    at += sizeof step;
    if (step.size > size - at) return false;
    if (!ValidStep(step.op, data + at, step.size)) return false;
    at += step.size;
  }
  if (at != size) return false;
  bytes_ = data;
  step_count_ = header.step_count;
  return true;
}

bool Plan::Next(Cursor& cursor, StepView& step) const {
  if (cursor.index >= step_count_) return false;
  const auto header = Load<StepHeader>(bytes_ + cursor.offset);
  step.index = uint16_t(cursor.index);
  step.op = Op(header.op);
  step.fields = bytes_ + cursor.offset + sizeof header;
  ++cursor.index;
  cursor.offset += uint32_t(sizeof header) + header.size;
  return true;
}

bool Plan::Has(Op op) const {
  Cursor cursor;
  StepView step;
  while (Next(cursor, step)) {
    if (step.op == op) return true;
  }
  return false;
}

}  // namespace containerkit::runtime::child
