#include "select.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "memory.hpp"
#include "thread_pool.hpp"

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

// By radix: no guess needed, but several passes.
template <class T>
Selection<T> select_exactly(const T* matrix, std::int32_t n, std::int64_t k) {
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

// Lists the entries of at least `hint` row by row, `visit(row, list)` doing one row, and chooses
// among them; false if the guess was too high or too low.
template <class T, class Visit>
bool select_listed(std::int32_t n, std::int64_t k, int threads, Visit visit, Selection<T>& out) {
  // Room for six times what is wanted: beyond, choosing among the listed would cost too much.
  const int tasks = threads > 1 ? 4 * threads : 1;
  const std::int64_t room = 6 * k / tasks + n;
  const std::size_t bytes = sizeof(Candidate<T>) * static_cast<std::size_t>(room * tasks);
  auto* memory = static_cast<Candidate<T>*>(take_buffer(bytes));
  std::vector<Candidates<T>> lists(tasks);
  out.indptr.assign(static_cast<std::size_t>(n) + 1, 0);
  parallel_for(tasks, threads, [&](std::int64_t task) {
    lists[task] = {memory + task * room, room, 0, false};
    const auto first = static_cast<std::int32_t>(task * n / tasks);
    const auto last = static_cast<std::int32_t>((task + 1) * n / tasks);
    for (std::int32_t i = first; i < last; ++i) {
      const std::int64_t before = lists[task].count;
      visit(i, lists[task]);
      out.indptr[i + 1] = static_cast<std::int32_t>(lists[task].count - before);
    }
  });
  std::int64_t listed = 0;
  bool fits = true, nan = false;
  for (const Candidates<T>& list : lists) {
    listed += list.count;
    fits &= list.count <= list.room;
    nan |= list.nan;
  }
  fits &= listed >= k && k > 0;
  if (fits && !nan) {
    std::vector<T> sizes;
    sizes.reserve(listed);
    for (const Candidates<T>& list : lists)
      for (std::int64_t c = 0; c < list.count; ++c) sizes.push_back(list.at[c].size);
    std::nth_element(sizes.begin(), sizes.begin() + (k - 1), sizes.end(), std::greater<T>());
    out.threshold = sizes[k - 1];
    // Entries above the threshold all come; of those at it, the first ones.
    std::int64_t equal = k;
    for (const T size : sizes) equal -= size > out.threshold;
    out.sources.clear();
    out.sources.reserve(k);
    const Candidates<T>* list = lists.data();
    std::int64_t at = 0;
    for (std::int32_t i = 0; i < n; ++i) {
      for (std::int32_t left = out.indptr[i + 1]; left > 0; --left, ++at) {
        while (at == list->count) ++list, at = 0;
        const Candidate<T>& c = list->at[at];
        if (c.size > out.threshold || (c.size == out.threshold && equal-- > 0))
          out.sources.push_back(c.source);
      }
      out.indptr[i + 1] = static_cast<std::int32_t>(out.sources.size());
    }
  }
  give_buffer(memory, bytes);
  if (nan) throw std::invalid_argument("the weights hold NaN");
  return fits;
}

void check_count(std::int32_t n, std::int64_t k) {
  const std::int64_t possible = static_cast<std::int64_t>(n) * (n - 1);
  if (n < 1 || k < 0 || k > possible || k > INT32_MAX)
    throw std::invalid_argument("the number of edges to keep is out of range");
}

}  // namespace

template <class T>
Selection<T> select_largest(const T* matrix, std::int32_t n, std::int64_t k, T hint, int threads) {
  check_count(n, k);
  if (hint > 0) {
    Selection<T> out;
    const auto list_row = kernels<T>().list_row;
    if (select_listed<T>(
            n, k, threads,
            [&](std::int32_t i, Candidates<T>& list) {
              list_row(matrix + static_cast<std::int64_t>(i) * n, n, i, hint, list);
            },
            out))
      return out;
  }
  return select_exactly<T>(matrix, n, k);
}

template <class T>
Selection<T> update_and_select(const DenseUpdateArgs<T>& args, std::int64_t k, int threads) {
  check_count(args.nodes, k);
  Selection<T> out;
  const auto update_row = kernels<T>().update_row;
  if (select_listed<T>(
          args.nodes, k, threads,
          [&](std::int32_t i, Candidates<T>& list) { update_row(args, i, list); }, out))
    return out;
  return select_exactly<T>(args.weight, args.nodes, k);
}

template Selection<float> select_largest(const float*, std::int32_t, std::int64_t, float, int);
template Selection<double> select_largest(const double*, std::int32_t, std::int64_t, double, int);
template Selection<float> update_and_select(const DenseUpdateArgs<float>&, std::int64_t, int);
template Selection<double> update_and_select(const DenseUpdateArgs<double>&, std::int64_t, int);

}  // namespace nervure
