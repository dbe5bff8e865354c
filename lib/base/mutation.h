// Red controls: builds in which one mitigation is left out, to see its attack
// test fail (tests/attack/red_controls, docs/security.md). In all other builds
// Mutated() is the constant false and what it guards is not compiled in.
#ifndef CONTAINERKIT_LIB_BASE_MUTATION_H_
#define CONTAINERKIT_LIB_BASE_MUTATION_H_

#ifdef CK_MUTATE
#ifndef CK_RED_CONTROL
#error "CK_MUTATE is set by tests/attack/red_controls and nothing else"
#endif
#ifdef NDEBUG
#error "a red control is never an optimised build"
#endif
#endif

namespace containerkit {

// Whether this build leaves out what stops attack `id` of docs/security.md.
consteval bool Mutated(const char* id) {
#ifdef CK_MUTATE
  const char* chosen = CK_MUTATE;
  while (*id != '\0' && *id == *chosen) {
    ++id;
    ++chosen;
  }
  return *id == *chosen;
#else
  return false;
#endif
}

}  // namespace containerkit

#endif  // CONTAINERKIT_LIB_BASE_MUTATION_H_
