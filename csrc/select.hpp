// Choosing the largest weights of a dense matrix, and the optimizer step that comes before.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace nervure {

template <class T>
struct Selection {
  std::vector<std::int32_t> indptr, sources;  // the chosen entries as incoming edges
  T threshold;                                // smallest |w| chosen; infinity if none
};

// The k off-diagonal entries of an n x n matrix [target][source] that are largest in size; ties at
// the threshold go by position. `hint` is a guess somewhat below the threshold, or 0: with a good
// one a single pass suffices, a bad one costs that pass. Throws std::invalid_argument on NaN.
template <class T>
Selection<T> select_largest(const T* matrix, std::int32_t n, std::int64_t k, T hint, int threads);

// args: one step on the matrix; then the selection on what it became. One pass over the matrices.
template <class T>
Selection<T> update_and_select(const DenseUpdateArgs<T>& args, std::int64_t k, int threads);

}  // namespace nervure
