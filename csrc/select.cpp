#include "select.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace nervure {
namespace {

template <class T>
using Key = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

// The bits of |x| order like |x| itself.
template <class T>
Key<T> key_of(T x) {
  Key<T> bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits & (~Key<T>{0} >> 1);
}

}  // namespace

template <class T>
Selection<T> select_largest(const T* matrix, std::int32_t n, std::int64_t k) {
  const std::int64_t possible = static_cast<std::int64_t>(n) * (n - 1);
  if (n < 1 || k < 0 || k > possible || k > INT32_MAX)
    throw std::invalid_argument("the number of edges to keep is out of range");
  Selection<T> out;
  out.indptr.assign(static_cast<std::size_t>(n) + 1, 0);
  out.sources.reserve(k);
  out.threshold = std::numeric_limits<T>::infinity();

  constexpr int kDigit = 16, kDigits = sizeof(T) * 8 / kDigit;
  constexpr Key<T> kDigitMask = (Key<T>{1} << kDigit) - 1;
  Key<T> infinity = key_of(std::numeric_limits<T>::infinity());
  // Digit by digit from the top: `prefix` is what is known of the k-th largest key, `wanted` how
  // many of the keys that share it are still to be taken.
  Key<T> prefix = 0;
  std::int64_t wanted = k;
  std::vector<std::int64_t> count(std::size_t{1} << kDigit);
  for (int digit = kDigits - 1; digit >= 0 && k > 0; --digit) {
    std::fill(count.begin(), count.end(), 0);
    const int shift = digit * kDigit;
    const bool top = digit == kDigits - 1;
    bool nan = false;
    for (std::int32_t i = 0; i < n; ++i) {
      const T* row = matrix + static_cast<std::int64_t>(i) * n;
      for (std::int32_t j = 0; j < n; ++j) {
        const Key<T> key = key_of(row[j]);
        if (top) {
          nan |= key > infinity;
          if (i != j) ++count[key >> shift];
        } else if (key >> (shift + kDigit) == prefix && i != j) {
          ++count[(key >> shift) & kDigitMask];
        }
      }
    }
    if (nan) throw std::invalid_argument("the weights hold NaN");
    auto bin = static_cast<std::int64_t>(count.size()) - 1;
    while (count[bin] < wanted) wanted -= count[bin--];
    prefix = (prefix << kDigit) | static_cast<Key<T>>(bin);
  }
  if (k > 0) std::memcpy(&out.threshold, &prefix, sizeof out.threshold);
  for (std::int32_t i = 0; i < n; ++i) {
    const T* row = matrix + static_cast<std::int64_t>(i) * n;
    for (std::int32_t j = 0; j < n && k > 0; ++j) {
      const Key<T> key = key_of(row[j]);
      if (key < prefix || i == j) continue;
      if (key == prefix && wanted-- <= 0) continue;
      out.sources.push_back(j);
    }
    out.indptr[i + 1] = static_cast<std::int32_t>(out.sources.size());
  }
  return out;
}

template Selection<float> select_largest(const float*, std::int32_t, std::int64_t);
template Selection<double> select_largest(const double*, std::int32_t, std::int64_t);

}  // namespace nervure
