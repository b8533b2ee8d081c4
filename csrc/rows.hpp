// Rows of a state, and the loop that gathers a node's neighbours. Included inside the namespace of
// one instruction set.

// A node's lanes in one chunk.
template <class T>
struct Row {
  Vec<T> v[kVectors];
};
template <class T>
struct RowMask {
  Mask<T> v[kVectors];
};

template <class T>
inline Row<T> load_row(const T* p) {
  Row<T> r;
  for (int v = 0; v < kVectors; ++v) r.v[v] = load<T>(p + v * kWidth<T>);
  return r;
}
template <class T>
inline void store_row(T* p, const Row<T>& r) {
  for (int v = 0; v < kVectors; ++v) store<T>(p + v * kWidth<T>, r.v[v]);
}
template <class T>
inline Row<T> keep(const RowMask<T>& mask, const Row<T>& r) {
  Row<T> out;
  for (int v = 0; v < kVectors; ++v) out.v[v] = mask.v[v] ? r.v[v] : Vec<T>{};
  return out;
}
template <class T>
inline T* at_node(T* rows, std::int64_t node) {
  return rows + node * kLanes<std::remove_const_t<T>>;
}

template <class T>
inline bool any(const RowMask<T>& m) {
  Mask<T> all = {};
  for (int v = 0; v < kVectors; ++v) all |= m.v[v];
  typename VectorOf<T>::Int found = 0;
  for (int i = 0; i < kWidth<T>; ++i) found |= all[i];
  return found != 0;
}
template <class T>
inline typename VectorOf<T>::Int& lane(RowMask<T>& m, int s) {
  return reinterpret_cast<typename VectorOf<T>::Int*>(&m)[s];
}
template <class T>
inline typename VectorOf<T>::Int lane(const RowMask<T>& m, int s) {
  return reinterpret_cast<const typename VectorOf<T>::Int*>(&m)[s];
}
template <class T>
inline T lane(const Row<T>& r, int s) {
  return reinterpret_cast<const T*>(&r)[s];
}

// Which lanes of a chunk hold samples that take part.
template <class T>
RowMask<T> lane_mask(int samples, const std::uint8_t* allowed) {
  RowMask<T> m = {};
  for (int s = 0; s < samples; ++s)
    if (!allowed || allowed[s]) lane<T>(m, s) = -1;
  return m;
}

// Eight accumulators hide the latency of fused multiply-add.
constexpr int kAccumulators = 8;
// Rows that share their loads: with 32 registers twice as many, which halves what is asked of the
// second-level cache.
constexpr int kRowsAtOnce =
    kVectorBytes == 64 ? 8 : kVectors >= kAccumulators ? 1 : std::min(4, kAccumulators / kVectors);
template <int R>
constexpr int kUnroll = std::max(1, kAccumulators / (R * kVectors));

// sum[r] += sum_k weight[r][k] * values[neighbour k]
template <class T, int R>
[[gnu::always_inline]] inline void gather(Row<T>* sum, const T* values,
                                          const std::int32_t* neighbour, std::int32_t count,
                                          const T* const* weight) {
  constexpr int U = kUnroll<R>;
  // Every inner loop is unrolled at once, or the compiler keeps the accumulators in memory.
  Vec<T> part[U][R][kVectors];
  NERVURE_UNROLL for (int u = 0; u < U; ++u)
    NERVURE_UNROLL for (int r = 0; r < R; ++r)
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v)
        part[u][r][v] = u == 0 ? sum[r].v[v] : Vec<T>{};
  auto add = [&](int u, std::int32_t k) __attribute__((always_inline)) {
    const T* x = at_node(values, neighbour[k]);
    NERVURE_UNROLL for (int r = 0; r < R; ++r) {
      const T w = weight[r][k];
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v)
        part[u][r][v] += w * load<T>(x + v * kWidth<T>);
    }
  };
  std::int32_t k = 0;
  for (; k + U <= count; k += U)
    NERVURE_UNROLL for (int u = 0; u < U; ++u) add(u, k + u);
  // What is left goes to different accumulators too.
  NERVURE_UNROLL for (int u = 0; u < U - 1; ++u)
    if (u < count - k) add(u, k + u);
  NERVURE_UNROLL for (int apart = 1; apart < U; apart *= 2)
    NERVURE_UNROLL for (int u = 0; u + apart < U; u += 2 * apart)
      NERVURE_UNROLL for (int r = 0; r < R; ++r)
        NERVURE_UNROLL for (int v = 0; v < kVectors; ++v)
          part[u][r][v] += part[u + apart][r][v];
  NERVURE_UNROLL for (int r = 0; r < R; ++r)
    NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) sum[r].v[v] = part[0][r][v];
}

// A walk asks of its problem
//   start(node, slot)              what a node's sum begins with; slot: its place in the order
//   apply(node, slot, last, sum)   what becomes of the sum; last: in a pass whose values stay
//   weights, rows                  of the edges, and of the neighbours
//   prefetch<S>(node)              fetches what apply will read of a block of S nodes
//   wanted(panel)                  whether a block's neighbours are to be summed
//   pairs                          whether apply takes so long that two at once pay
// and hands node and result to finish(node, result), one after the other.

// R members of a panel. A member's neighbours beyond the shared ones may be members before it, so
// each is finished before the next.
template <class T, int R, class Problem, class Finish>
inline void visit_rows(const Problem& problem, std::int32_t position, std::int32_t shared, bool last,
                       Finish&& finish) {
  const Walk& walk = problem.walk;
  Row<T> sum[R];
  const T* weight[R];
  std::int32_t begin[R], node[R];
  for (int r = 0; r < R; ++r) {
    node[r] = walk.order[position + r];
    begin[r] = walk.indptr[node[r]];
    weight[r] = problem.weights + begin[r];
    sum[r] = problem.start(node[r], position + r);
  }
  gather<T, R>(sum, problem.rows, walk.neighbours + begin[0], shared, weight);
  for (int r = 0; r < R; ++r) {
    const std::int32_t rest = begin[r] + shared, end = walk.indptr[node[r] + 1];
    if (rest < end) {
      const T* tail[1] = {problem.weights + rest};
      gather<T, 1>(sum + r, problem.rows, walk.neighbours + rest, end - rest, tail);
    }
    problem.apply(node[r], position + r, last, sum[r]);
    finish(node[r], sum[r]);
  }
}

// All members of a panel.
template <class T, class Problem, class Finish>
[[gnu::noinline]] void visit_panel(const Problem& problem, const Panel& panel, bool last,
                                   Finish& finish) {
  std::int32_t at = panel.first;
  const std::int32_t end = panel.first + panel.rows;
  if constexpr (kRowsAtOnce >= 8)
    for (; at + 8 <= end; at += 8) visit_rows<T, 8>(problem, at, panel.shared, last, finish);
  if constexpr (kRowsAtOnce >= 4)
    for (; at + 4 <= end; at += 4) visit_rows<T, 4>(problem, at, panel.shared, last, finish);
  if constexpr (kRowsAtOnce >= 2)
    for (; at + 2 <= end; at += 2) visit_rows<T, 2>(problem, at, panel.shared, last, finish);
  for (; at < end; ++at) visit_rows<T, 1>(problem, at, panel.shared, last, finish);
}

// A walk's arrays, to be kept in registers.
struct Lists {
  const std::int32_t *order, *indptr, *neighbours;
  std::int32_t edges;
};

// R nodes that neither share sources nor wait for each other.
template <class T, int R, class Problem, class Finish>
[[gnu::always_inline]] inline void visit_apart(const Problem& problem, const Lists& walk,
                                               std::int32_t position, bool last, Finish& finish) {
  Row<T> sum[R];
  std::int32_t node[R];
  NERVURE_UNROLL for (int r = 0; r < R; ++r) {
    node[r] = walk.order[position + r];
    const std::int32_t begin = walk.indptr[node[r]], count = walk.indptr[node[r] + 1] - begin;
    const T* weight[1] = {problem.weights + begin};
    sum[r] = problem.start(node[r], position + r);
    gather<T, 1>(sum + r, problem.rows, walk.neighbours + begin, count, weight);
  }
  NERVURE_UNROLL for (int r = 0; r < R; ++r) problem.apply(node[r], position + r, last, sum[r]);
  NERVURE_UNROLL for (int r = 0; r < R; ++r) finish(node[r], sum[r]);
}

inline bool apart(const Panel& panel) { return panel.rows == 1 || panel.shared == 0; }

// A stretch of panels of nodes apart: most of the work in irregular graphs. One loop without a call,
// on a copy of the problem and of what finishes a node, so that both stay in registers.
template <class T, class Problem, class Finish>
[[gnu::noinline]] void visit_stretch(const Problem& original, const Panel* first, const Panel* end,
                                     bool last, Finish& finish) {
  const Problem problem = original;
  const Lists lists{problem.walk.order, problem.walk.indptr, problem.walk.neighbours,
                    problem.p.edges};
  Finish own = finish;
  if constexpr (Problem::pairs) {
    for (; first < end; ++first) {
      if (first->rows == 2) {
        visit_apart<T, 2>(problem, lists, first->first, last, own);
      } else {
        visit_apart<T, 1>(problem, lists, first->first, last, own);
      }
    }
  } else {
    const std::int32_t stop = end[-1].first + end[-1].rows;
    for (std::int32_t position = first->first; position < stop; ++position)
      visit_apart<T, 1>(problem, lists, position, last, own);
  }
  finish = own;
}

#include "blocks.hpp"

// All panels from `first` to the one before `end`.
template <class T, class Problem, class Finish>
void visit(const Problem& problem, const Panel* first, const Panel* end, bool last,
           Finish& finish) {
  if (problem.p.block > 1) {
    with_block_size(problem.p.block, [&](auto size) {
      visit_blocks<T, decltype(size)::value>(problem, first, end, last, finish);
    });
    return;
  }
  while (first < end) {
    const Panel* next = first + 1;
    if (!apart(*first)) {
      visit_panel<T>(problem, *first, last, finish);
    } else {
      while (next < end && apart(*next)) ++next;
      visit_stretch<T>(problem, first, next, last, finish);
    }
    first = next;
  }
}
