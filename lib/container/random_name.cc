#include "lib/container/random_name.h"

#include <sys/random.h>

#include <cstdint>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace containerkit::container {

namespace {

constexpr absl::string_view kAdjectives[] = {
    "able",     "agile",    "airy",     "alert",    "amber",   "ample",
    "apt",      "astute",   "avid",     "balmy",    "blithe",  "bold",
    "brave",    "breezy",   "bright",   "brisk",    "calm",    "candid",
    "careful",  "cheery",   "civil",    "clear",    "clever",  "comely",
    "cordial",  "cosmic",   "cozy",     "crisp",    "curious", "daring",
    "deft",     "dreamy",   "eager",    "earnest",  "easy",    "elated",
    "exact",    "fair",     "fearless", "fervent",  "fluent",  "fond",
    "frank",    "fresh",    "frugal",   "gallant",  "gentle",  "genial",
    "gifted",   "glad",     "golden",   "graceful", "grand",   "hale",
    "handy",    "happy",    "hardy",    "hearty",   "honest",  "hopeful",
    "humble",   "ideal",    "jaunty",   "jolly",    "joyful",  "keen",
    "kind",     "lasting",  "level",    "limber",   "lively",  "lucid",
    "lucky",    "lunar",    "magnetic", "mellow",   "merry",   "mild",
    "mindful",  "modest",   "neat",     "nifty",    "nimble",  "noble",
    "novel",    "open",     "patient",  "peaceful", "placid",  "plucky",
    "polite",   "prime",    "prompt",   "proud",    "quick",   "quiet",
    "radiant",  "rapid",    "ready",    "robust",   "rosy",    "sage",
    "serene",   "sharp",    "silent",   "sincere",  "smart",   "smooth",
    "snug",     "sober",    "solar",    "solid",    "sound",   "spry",
    "stable",   "steady",   "stellar",  "sturdy",   "subtle",  "sunny",
    "supple",   "sure",     "swift",    "tender",   "thrifty", "tidy",
    "tranquil", "trusty",   "upbeat",   "valiant",  "vast",    "vivid",
    "warm",     "watchful", "willing",  "winsome",  "wise",    "witty",
    "worthy",   "young",    "zealous",  "zesty",
};

// People who found things out.
constexpr absl::string_view kSurnames[] = {
    "abel",        "agnesi",       "alhazen",     "ampere",     "anning",
    "apgar",       "archimedes",   "aryabhata",   "avicenna",   "avogadro",
    "babbage",     "banach",       "banneker",    "bardeen",    "bell",
    "bernoulli",   "berzelius",    "bessel",      "bethe",      "bhabha",
    "bohr",        "boltzmann",    "boole",       "born",       "bose",
    "boyle",       "brahe",        "cannon",      "cantor",     "carnot",
    "carson",      "cauchy",       "cavendish",   "celsius",    "chandrasekhar",
    "chebyshev",   "clausius",     "copernicus",  "coulomb",    "crick",
    "curie",       "cuvier",       "dalton",      "darwin",     "davy",
    "dedekind",    "descartes",    "dijkstra",    "dirac",      "doppler",
    "eddington",   "einstein",     "elion",       "engelbart",  "eratosthenes",
    "erdos",       "euclid",       "euler",       "faraday",    "fermat",
    "fermi",       "feynman",      "fibonacci",   "fleming",    "foucault",
    "fourier",     "franklin",     "fresnel",     "galileo",    "galois",
    "galvani",     "gauss",        "germain",     "gibbs",      "godel",
    "goeppert",    "goldberg",     "haeckel",     "halley",     "hamilton",
    "hamming",     "hawking",      "heisenberg",  "helmholtz",  "henry",
    "herschel",    "hertz",        "hilbert",     "hodgkin",    "hooke",
    "hopper",      "hubble",       "humboldt",    "huygens",    "hypatia",
    "jacobi",      "jemison",      "jenner",      "joliot",     "joule",
    "kelvin",      "kepler",       "khayyam",     "kirchhoff",  "knuth",
    "kolmogorov",  "kovalevskaya", "lagrange",    "lamarr",     "lamport",
    "laplace",     "lavoisier",    "leavitt",     "legendre",   "leibniz",
    "linnaeus",    "liskov",       "lorentz",     "lovelace",   "mach",
    "marconi",     "maxwell",      "mcclintock",  "meitner",    "mendel",
    "mendeleev",   "merian",       "milner",      "mirzakhani", "mobius",
    "montgolfier", "morse",        "napier",      "nash",       "neumann",
    "newton",      "nightingale",  "nobel",       "noether",    "oersted",
    "ohm",         "oppenheimer",  "ostwald",     "pappus",     "pascal",
    "pasteur",     "pauli",        "pauling",     "peano",      "perlman",
    "planck",      "poincare",     "poisson",     "priestley",  "ptolemy",
    "pythagoras",  "raman",        "ramanujan",   "rayleigh",   "riemann",
    "ritchie",     "roentgen",     "rubin",       "rutherford", "sagan",
    "salk",        "sammet",       "schrodinger", "shannon",    "snell",
    "somerville",  "steiner",      "stirling",    "swartz",     "tarski",
    "taussig",     "tesla",        "thales",      "thompson",   "torricelli",
    "turing",      "vaughan",      "vesalius",    "volta",      "wallace",
    "watt",        "weber",        "weierstrass", "wiles",      "wozniak",
    "wu",          "yalow",        "yonath",      "zeno",       "zhukovsky",
};

// The first attempts may all meet names of a well-filled store.
constexpr int kPlainAttempts = 5;

uint32_t Random() {
  uint32_t value = 0;
  // Four bytes are never cut short once the pool is ready (getrandom(2)); a
  // failure leaves a name that is only less random.
  if (getrandom(&value, sizeof(value), 0) != sizeof(value)) return 0;
  return value;
}

}  // namespace

std::string RandomName(int attempt) {
  const absl::string_view adjective =
      kAdjectives[Random() % std::size(kAdjectives)];
  const absl::string_view surname = kSurnames[Random() % std::size(kSurnames)];
  std::string name = absl::StrCat(adjective, "_", surname);
  if (attempt >= kPlainAttempts) absl::StrAppend(&name, Random() % 1000000);
  return name;
}

}  // namespace containerkit::container
