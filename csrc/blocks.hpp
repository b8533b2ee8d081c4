// Walks of graphs wired in blocks: one index per S x S weights, [own row][neighbour's row], and rows
// of a block sharing what they load. S = 0 stands for any size. Included inside the namespace of one
// instruction set.

// Calls body with the size as a constant where kernels are made for it.
template <class Body>
[[gnu::always_inline]] inline auto with_block_size(int block, Body&& body) {
  switch (block) {
    case 2: return body(std::integral_constant<int, 2>{});
    case 4: return body(std::integral_constant<int, 4>{});
    case 8: return body(std::integral_constant<int, 8>{});
    default: return body(std::integral_constant<int, 0>{});
  }
}

// Rows of a block that are summed at once.
template <int S>
constexpr int kBlockRows = std::min(S ? S : 4, kRowsAtOnce);

// Neighbours after the one at hand whose rows are fetched: rows of a block are many lines at a random
// place, more than the processor looks ahead by itself.
template <int S>
constexpr int kAhead = S == 2 ? 4 : 2;

template <int S, class T>
[[gnu::always_inline]] inline void prefetch_rows(const T* row) {
  const char* at = reinterpret_cast<const char*>(row);
  NERVURE_UNROLL for (int line = 0; line < S * kChunkBytes / 64; ++line)
    __builtin_prefetch(at + 64 * line);
}

// sum[r] += sum_k sum_s weight[k][r][s] * values[neighbour k][s] for R rows of a block.
template <class T, int R, int S>
[[gnu::always_inline]] inline void gather_blocks(Row<T>* sum, const T* values,
                                                 const std::int32_t* neighbour, std::int32_t count,
                                                 std::int32_t left, const T* weight, int block) {
  // Few rows: the sources of a neighbour go to different accumulators in turn.
  constexpr int U = S ? std::min(S, kUnroll<R>) : 1;
  const int width = S ? S : block;
  const std::int64_t step = static_cast<std::int64_t>(width) * width;
  // Every inner loop is unrolled at once, or the compiler keeps the accumulators in memory.
  Vec<T> part[U][R][kVectors];
  NERVURE_UNROLL for (int u = 0; u < U; ++u)
    NERVURE_UNROLL for (int r = 0; r < R; ++r)
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v)
        part[u][r][v] = u == 0 ? sum[r].v[v] : Vec<T>{};
  for (std::int32_t k = 0; k < count; ++k, weight += step) {
    const T* x = at_node(values, static_cast<std::int64_t>(neighbour[k]) * width);
    if constexpr (S > 0)
      prefetch_rows<S>(at_node(values, static_cast<std::int64_t>(
                                           neighbour[std::min(k + kAhead<S>, left - 1)]) * width));
    auto add = [&](int u, int s) __attribute__((always_inline)) {
      NERVURE_UNROLL for (int r = 0; r < R; ++r) {
        const T w = weight[r * width + s];
        NERVURE_UNROLL for (int v = 0; v < kVectors; ++v)
          part[u][r][v] += w * load<T>(x + s * kLanes<T> + v * kWidth<T>);
      }
    };
    if constexpr (S > 0) {
      NERVURE_UNROLL for (int s = 0; s < S; ++s) add(s % U, s);
    } else {
      for (int s = 0; s < width; ++s) add(0, s);
    }
  }
  NERVURE_UNROLL for (int r = 0; r < R; ++r)
    NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) {
      NERVURE_UNROLL for (int u = 1; u < U; ++u) part[0][r][v] += part[u][r][v];
      sum[r].v[v] = part[0][r][v];
    }
}

// R nodes of the block at `position`, starting with its row `row`.
template <class T, int R, int S, class Problem, class Finish>
[[gnu::always_inline]] inline void visit_block_rows(const Problem& problem, const Lists& walk,
                                                    std::int32_t position, int block, int row,
                                                    bool sources, bool last, Finish& finish) {
  Row<T> sum[R];
  const std::int32_t index = walk.order[position], begin = walk.indptr[index];
  const std::int32_t first = index * block + row;
  const std::int64_t slot = static_cast<std::int64_t>(position) * block + row;
  NERVURE_UNROLL for (int r = 0; r < R; ++r) sum[r] = problem.start(first + r, slot + r);
  if (sources)
    gather_blocks<T, R, S>(sum, problem.rows, walk.neighbours + begin,
                           walk.indptr[index + 1] - begin, walk.edges - begin,
                           problem.weights + (static_cast<std::int64_t>(begin) * block + row) * block,
                           block);
  NERVURE_UNROLL for (int r = 0; r < R; ++r) {
    problem.apply(first + r, slot + r, last, sum[r]);
    finish(first + r, sum[r]);
  }
}

// A stretch of blocks, on copies that stay in registers. Blocks have no edges inside, so their rows
// do not wait for each other.
template <class T, int S, class Problem, class Finish>
[[gnu::noinline]] void visit_blocks(const Problem& original, const Panel* panel, const Panel* end,
                                    bool last, Finish& finish) {
  constexpr int R = kBlockRows<S>, few = std::min(2, R);
  const Problem problem = original;
  const Lists lists{problem.walk.order, problem.walk.indptr, problem.walk.neighbours,
                    problem.p.edges};
  const int block = S ? S : problem.p.block;
  Finish own = finish;
  for (; panel < end; ++panel) {
    const bool sources = problem.wanted(*panel);
    const std::int32_t at = panel->first;
    if constexpr (S > 0) problem.template prefetch<S>(lists.order[at] * S);
    int row = 0;
    for (; row + R <= block; row += R)
      visit_block_rows<T, R, S>(problem, lists, at, block, row, sources, last, own);
    if constexpr (S > 0) continue;  // the number of rows divides S
    for (; row + few <= block; row += few)
      visit_block_rows<T, few, S>(problem, lists, at, block, row, sources, last, own);
    for (; row < block; ++row)
      visit_block_rows<T, 1, S>(problem, lists, at, block, row, sources, last, own);
  }
  finish = own;
}
