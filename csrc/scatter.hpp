// The adjoint of a graph of single nodes without cycles, which has no outgoing lists: each node's
// delta is pushed to its sources along the incoming lists. Included inside the namespace of one instruction set.

// delta[source] += sum_r weight[r] * d[r] for the common sources of R targets.
template <class T, int R>
[[gnu::always_inline]] inline void push(const Row<T>* d, T* rows, const std::int32_t* neighbour,
                                        std::int32_t count, const T* const* weight) {
  for (std::int32_t k = 0; k < count; ++k) {
    T* to = at_node(rows, neighbour[k]);
    Vec<T> sum[kVectors];
    NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) sum[v] = load<T>(to + v * kWidth<T>);
    NERVURE_UNROLL for (int r = 0; r < R; ++r) {
      const T w = weight[r][k];
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) sum[v] += w * d[r].v[v];
    }
    NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) store<T>(to + v * kWidth<T>, sum[v]);
  }
}

template <class T, int R>
inline void scatter_rows(const AdjointProblem<T>& problem, const RowMask<T>& alive,
                         const std::int32_t* node, std::int32_t shared, bool stop) {
  const Walk& walk = problem.walk;
  Row<T> d[R];
  const T* weight[R];
  // The last first: its own sources may be members before it.
  for (int r = R - 1; r >= 0; --r) {
    d[r] = load_row<T>(problem.row(node[r]));
    problem.times_slope(node[r], d[r]);
    d[r] = keep<T>(alive, d[r]);
    store_row<T>(problem.row(node[r]), d[r]);
    if (stop) continue;
    const std::int32_t begin = walk.indptr[node[r]], rest = begin + shared;
    weight[r] = problem.weights + begin;
    const T* tail[1] = {problem.weights + rest};
    push<T, 1>(d + r, problem.rows, walk.neighbours + rest, walk.indptr[node[r] + 1] - rest, tail);
  }
  if (stop) return;
  push<T, R>(d, problem.rows, walk.neighbours + walk.indptr[node[0]], shared, weight);
}

template <class T>
inline void scatter_panel(const AdjointProblem<T>& problem, const RowMask<T>& alive,
                          const Panel& panel) {
  const std::int32_t* node = problem.walk.order + panel.first;
  const bool stop = !problem.wanted(panel);
  std::int32_t left = panel.rows;
  if constexpr (kRowsAtOnce >= 8)
    for (; left >= 8; left -= 8)
      scatter_rows<T, 8>(problem, alive, node + left - 8, panel.shared, stop);
  if constexpr (kRowsAtOnce >= 4)
    for (; left >= 4; left -= 4)
      scatter_rows<T, 4>(problem, alive, node + left - 4, panel.shared, stop);
  if constexpr (kRowsAtOnce >= 2)
    for (; left >= 2; left -= 2)
      scatter_rows<T, 2>(problem, alive, node + left - 2, panel.shared, stop);
  for (; left > 0; --left) scatter_rows<T, 1>(problem, alive, node + left - 1, panel.shared, stop);
}

template <class T>
void scatter_group(const AdjointProblem<T>& problem, const Group& group,
                   const RowMask<T>& alive) {
  const Walk& walk = problem.walk;
  const Panel* panels = walk.panels.data();
  const std::int32_t first = walk.segments.data()[group.first].first;
  const std::int32_t last = walk.segments.data()[group.last - 1].last;
  const std::int32_t end = panels[last - 1].first + panels[last - 1].rows;
  for (std::int32_t position = panels[first].first; position < end; ++position) {
    const std::int32_t node = walk.order[position];
    store_row<T>(problem.row(node), problem.fresh(node));
  }
  for (std::int32_t i = last; i-- > first;)
    scatter_panel<T>(problem, alive, panels[i]);
}
