// The k off-diagonal entries of largest magnitude of a square matrix.
#pragma once
#include <cstdint>
#include <vector>

namespace nervure {

template <class T>
struct Selection {
  std::vector<std::int32_t> indptr, sources;  // row = target, column = source
  T threshold;                                // magnitude of the smallest entry kept
};

// Exactly k entries are kept; ties at the threshold are broken by position (row, then column).
// O(n^2): a radix selection on the bits of |w|. Throws if k is out of range or an entry is NaN.
template <class T>
Selection<T> select_largest(const T* matrix, std::int32_t n, std::int64_t k);

}  // namespace nervure
