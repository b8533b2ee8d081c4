// Gradients of blocks of S x S weights, S a power of two: as many weights that stand next to each
// other as a register has lanes are summed at once, so that one tree of adds and one store ends them.
// Included inside the namespace of one instruction set.

// Such a tile is several whole blocks, some whole rows of one, or a part of a row.
template <class T, int S>
struct Tile {
  static constexpr int sources = std::min(S, kWidth<T>);
  static constexpr int rows = std::min(S, kWidth<T> / sources);
  static constexpr int blocks = kWidth<T> / (rows * sources);
};

// The tile that begins at a row and a source of the first of its blocks; `state` and `delta` begin
// there too. Past the end of the neighbours the last stands in, and is not stored.
template <class T, int S, int G>
[[gnu::always_inline]] inline void gradient_tile(const T* state, const T* delta,
                                                 std::int64_t stride, const std::int32_t* neighbour,
                                                 int count, T* grad, bool add) {
  using Shape = Tile<T, S>;
  constexpr int R = Shape::rows, C = Shape::sources, B = Shape::blocks, N = kWidth<T>;
  const T* x[B];
  NERVURE_UNROLL for (int b = 0; b < B; ++b)
    x[b] = at_node(state, static_cast<std::int64_t>(neighbour[b < count ? b : count - 1]) * S);
  Vec<T> sum[N];
  NERVURE_UNROLL for (int g = 0; g < G; ++g)
    NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) {
      const std::int64_t at = g * stride + v * kWidth<T>;
      Vec<T> d[R];
      NERVURE_UNROLL for (int r = 0; r < R; ++r) d[r] = load<T>(at_node(delta, r) + at);
      NERVURE_UNROLL for (int b = 0; b < B; ++b)
        NERVURE_UNROLL for (int c = 0; c < C; ++c) {
          const Vec<T> a = load<T>(at_node(x[b], c) + at);
          NERVURE_UNROLL for (int r = 0; r < R; ++r) {
            Vec<T>& to = sum[reversed<N>((b * R + r) * C + c)];
            if (g == 0 && v == 0) {
              to = d[r] * a;
            } else {
              to += d[r] * a;
            }
          }
        }
    }
  sum_tree<T, N>(sum);
  if (B == 1 || count >= B) {
    store<T>(grad, add ? load<T>(grad) + sum[0] : sum[0]);
    return;
  }
  T total[N];
  store<T>(total, sum[0]);
  for (int i = 0; i < count * R * C; ++i) grad[i] = add ? grad[i] + total[i] : total[i];
}

template <class T, int S, int G>
void block_gradient(const EdgeGradientArgs<T>& args, std::int64_t chunk, std::int32_t index) {
  using Shape = Tile<T, S>;
  const Program& p = *args.program;
  const std::int64_t stride = static_cast<std::int64_t>(p.nodes) * kLanes<T>;
  const T* state = args.state + chunk * stride;
  const T* delta = at_node(args.delta + chunk * stride, static_cast<std::int64_t>(index) * S);
  const bool add = chunk > 0;
  for (int r = 0; r < S && args.grad_bias; ++r) {
    Vec<T> total = {};
    NERVURE_UNROLL for (int g = 0; g < G; ++g)
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v)
        total += load<T>(at_node(delta, r) + g * stride + v * kWidth<T>);
    add_bias_gradient<T>(args, index * S + r, total, add);
  }
  if (!args.grad_weight) return;
  const std::int32_t begin = p.forward.indptr[index], end = p.forward.indptr[index + 1];
  T* grad = args.grad_weight + static_cast<std::int64_t>(begin) * S * S;
  for (std::int32_t k = begin; k < end; k += Shape::blocks, grad += Shape::blocks * S * S) {
    NERVURE_UNROLL for (int b = 0; b < Shape::blocks; ++b) {
      const std::int32_t next = std::min(k + std::max(Shape::blocks, kAhead<S>) + b, p.edges - 1);
      const T* row = at_node(state, static_cast<std::int64_t>(p.forward.neighbours[next]) * S);
      NERVURE_UNROLL for (int g = 0; g < G; ++g) prefetch_rows<S>(row + g * stride);
    }
    NERVURE_UNROLL for (int r = 0; r < S; r += Shape::rows)
      NERVURE_UNROLL for (int c = 0; c < S; c += Shape::sources)
        gradient_tile<T, S, G>(at_node(state, c), at_node(delta, r), stride,
                               p.forward.neighbours + k, end - k, grad + r * S + c, add);
  }
}
