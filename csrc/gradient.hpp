// Gradients of edges: sums over all samples of delta[target] * state[source]. Included inside the
// namespace of one instruction set.

// As many chunks at once as fill eight registers with one target's deltas.
constexpr int kGroup = kVectors >= 8 ? 1 : 8 / kVectors;

// Lane i of the sum of adjacent units of U lanes, the even ones of the result from the first vector.
template <class T, int U>
constexpr int source_lane(int i) {
  return i % (2 * U) < U ? i : kWidth<T> + i - U;
}
template <class T, int U, int... I>
inline Vec<T> add_units(Vec<T> a, Vec<T> b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, source_lane<T, U>(I)...) +
         __builtin_shufflevector(a, b, (source_lane<T, U>(I) + U)...);
}

// Sums each of N vectors across its lanes, N a power of two: lane g * (kWidth<T> / N) of x[0] becomes
// the sum of x[reversed(g)], the bits of g being reversed. A tree of adds: half of what summing one
// by one takes.
template <class T, int N, int U = kWidth<T> / 2>
[[gnu::always_inline]] inline void sum_tree(Vec<T>* x) {
  constexpr auto lanes = std::make_integer_sequence<int, kWidth<T>>();
  if constexpr (N > 1) {
    NERVURE_UNROLL for (int i = 0; i < N / 2; ++i)
      x[i] = add_units<T, U>(x[2 * i], x[2 * i + 1], lanes);
  } else {
    x[0] = add_units<T, U>(x[0], x[0], lanes);
  }
  if constexpr (U > 1) sum_tree<T, (N > 1 ? N / 2 : 1), U / 2>(x);
}
template <int N>
constexpr int reversed(int i) {
  int out = 0;
  for (int bit = 1; bit < N; bit *= 2) out = 2 * out + (i / bit) % 2;
  return out;
}

template <class T>
inline T sum_lanes(Vec<T> x) {
  sum_tree<T, 1>(&x);
  return x[0];
}

// A node's gradient of the bias; `total` holds its deltas, summed over vectors and chunks.
template <class T>
[[gnu::always_inline]] inline void add_bias_gradient(const EdgeGradientArgs<T>& args,
                                                     std::int32_t node, Vec<T> total, bool add) {
  const Program& p = *args.program;
  const bool frozen = !p.input_bias && p.pure_input[node];
  const T sum = frozen ? T(0) : sum_lanes<T>(total);
  T& out = args.grad_bias[node];
  out = add ? out + sum : sum;
}

// What R targets have in common: sources in blocks, whose gradients stand at grad[r] plus the number
// of the neighbour times block^2 plus that of the member.
template <class T, int R>
struct Common {
  const T* state;
  std::int64_t stride;  // between chunks
  const std::int32_t* neighbour;
  int block;
  T* grad[R];
  bool add;
};

// Walks the sources of Common one by one, without dividing.
template <class T, int R>
class Sources {
 public:
  explicit Sources(const Common<T, R>& common) : common_(common) { enter(); }
  const T* row() const { return row_; }
  std::int64_t place() const { return place_; }
  // `last`: there is no further source, and none may be looked up.
  void next(bool last) {
    ++place_;
    row_ += kLanes<T>;
    if (++member_ < common_.block || last) return;
    place_ += static_cast<std::int64_t>(common_.block) * (common_.block - 1);
    ++at_;
    enter();
  }

 private:
  void enter() {
    member_ = 0;
    row_ = at_node(common_.state, static_cast<std::int64_t>(common_.neighbour[at_]) * common_.block);
  }
  const Common<T, R>& common_;
  std::int32_t at_ = 0;
  int member_ = 0;
  std::int64_t place_ = 0;
  const T* row_ = nullptr;
};

// C sources, of which `count` exist: past the end the last stands in, and is not stored.
template <class T, int R, int C, int G>
[[gnu::always_inline]] inline void gradient_batch(const Vec<T> (*d)[G][kVectors],
                                                  const Common<T, R>& common,
                                                  const T* const* source,
                                                  const std::int64_t* place, int count) {
  constexpr int N = R * C, apart = kWidth<T> / N;
  Vec<T> sum[N];
  NERVURE_UNROLL for (int c = 0; c < C; ++c) {
    const T* x = source[c < count ? c : count - 1];
    NERVURE_UNROLL for (int r = 0; r < R; ++r) sum[reversed<N>(r * C + c)] = Vec<T>{};
    NERVURE_UNROLL for (int g = 0; g < G; ++g)
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) {
        const Vec<T> a = load<T>(x + g * common.stride + v * kWidth<T>);
        NERVURE_UNROLL for (int r = 0; r < R; ++r) sum[reversed<N>(r * C + c)] += d[r][g][v] * a;
      }
  }
  sum_tree<T, N>(sum);
  if (R == 1 && apart == 1 && common.block == 1 && count == C) {
    T* out = common.grad[0] + place[0];
    store<T>(out, common.add ? load<T>(out) + sum[0] : sum[0]);
    return;
  }
  T total[kWidth<T>];
  store<T>(total, sum[0]);
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < count; ++c) {
      T& out = common.grad[r][place[c]];
      const T value = total[(r * C + c) * apart];
      out = common.add ? out + value : value;
    }
}

template <class T, int R, int G>
[[gnu::always_inline]] inline void gradient_rows(const Vec<T> (*d)[G][kVectors],
                                                 const Common<T, R>& common, std::int64_t sources) {
  constexpr int C = kWidth<T> / R, few = std::max(1, std::min(4 / R, C));
  if (sources == 0) return;
  const T* source[C];
  std::int64_t place[C];
  std::int64_t q = 0;
  auto all = [&](auto&& fetch) __attribute__((always_inline)) {
    for (; q + C <= sources; q += C) {
      fetch(C);
      gradient_batch<T, R, C, G>(d, common, source, place, C);
    }
    for (; q < sources; q += few) {
      const auto count = static_cast<int>(std::min<std::int64_t>(few, sources - q));
      fetch(count);
      gradient_batch<T, R, few, G>(d, common, source, place, count);
    }
  };
  if (common.block == 1) {
    all([&](int count) {
      for (int c = 0; c < count; ++c) {
        source[c] = at_node(common.state, common.neighbour[q + c]);
        place[c] = q + c;
      }
    });
  } else {
    Sources<T, R> walk(common);
    all([&](int count) {
      for (int c = 0; c < count; ++c) {
        source[c] = walk.row();
        place[c] = walk.place();
        walk.next(q + c + 1 == sources);
      }
    });
  }
}

template <class T, int R, int G>
void gradient_of(const EdgeGradientArgs<T>& args, std::int64_t chunk, const std::int32_t* node,
                 std::int32_t list, std::int32_t shared, std::int64_t first_weight,
                 std::int64_t row_stride) {
  const Program& p = *args.program;
  const std::int64_t stride = static_cast<std::int64_t>(p.nodes) * kLanes<T>;
  const T* state = args.state + chunk * stride;
  const T* delta = args.delta + chunk * stride;
  const bool add = chunk > 0;
  Vec<T> d[R][G][kVectors];
  for (int r = 0; r < R; ++r) {
    Vec<T> total = {};
    for (int g = 0; g < G; ++g)
      for (int v = 0; v < kVectors; ++v) {
        d[r][g][v] = load<T>(at_node(delta, node[r]) + g * stride + v * kWidth<T>);
        total += d[r][g][v];
      }
    if (args.grad_bias) add_bias_gradient<T>(args, node[r], total, add);
  }
  if (!args.grad_weight) return;
  Common<T, R> common{state, stride, p.forward.neighbours + list, p.block, {}, add};
  for (int r = 0; r < R; ++r)
    common.grad[r] = args.grad_weight + (p.block == 1 ? p.forward.indptr[node[r]]
                                                      : first_weight + r * row_stride);
  gradient_rows<T, R, G>(d, common, static_cast<std::int64_t>(shared) * p.block);
  if (p.block > 1) return;
  for (int r = 0; r < R; ++r) {
    const std::int32_t rest = p.forward.indptr[node[r]] + shared;
    const Common<T, 1> own{state, stride, p.forward.neighbours + rest, 1,
                           {args.grad_weight + rest}, add};
    gradient_rows<T, 1, G>(d + r, own, p.forward.indptr[node[r] + 1] - rest);
  }
}

#include "block_gradient.hpp"

template <class T, int G>
void gradient_panel(const EdgeGradientArgs<T>& args, std::int64_t chunk, const Panel& panel) {
  const Program& p = *args.program;
  constexpr int R = kVectorBytes == 64 ? 2 : 1;  // two targets' deltas need half of 32 registers
  if (p.block == 1) {
    int r = 0;
    for (; r + R <= panel.rows && panel.shared > 0; r += R) {
      const std::int32_t* node = p.forward.order + panel.first + r;
      gradient_of<T, R, G>(args, chunk, node, p.forward.indptr[node[0]], panel.shared, 0, 0);
    }
    for (; r < panel.rows; ++r) {
      const std::int32_t* node = p.forward.order + panel.first + r;
      gradient_of<T, 1, G>(args, chunk, node, p.forward.indptr[node[0]], panel.shared, 0, 0);
    }
    return;
  }
  const std::int32_t index = p.forward.order[panel.first], list = p.forward.indptr[index];
  const bool done = with_block_size(p.block, [&](auto size) {
    constexpr int S = decltype(size)::value;
    if constexpr (S > 0) block_gradient<T, S, G>(args, chunk, index);
    return S > 0;
  });
  if (done) return;
  const std::int32_t count = p.forward.indptr[index + 1] - list;
  const std::int64_t base = static_cast<std::int64_t>(list) * p.block * p.block;
  int r = 0;
  for (; r + R <= p.block; r += R) {
    std::int32_t node[R];
    for (int i = 0; i < R; ++i) node[i] = index * p.block + r + i;
    gradient_of<T, R, G>(args, chunk, node, list, count, base + r * p.block, p.block);
  }
  for (; r < p.block; ++r) {
    const std::int32_t node[1] = {index * p.block + r};
    gradient_of<T, 1, G>(args, chunk, node, list, count, base + r * p.block, p.block);
  }
}

// Sources whose rows of a whole group fit a second-level cache are worth the larger group.
constexpr std::int64_t kGroupBytes = 1 << 20;

template <class T>
void edge_gradient(const EdgeGradientArgs<T>& args, std::int64_t first, std::int64_t last) {
  const FlushDenormals flush;
  constexpr int half = kGroup > 1 ? kGroup / 2 : 1;
  const Program& p = *args.program;
  const Panel* panels = p.forward.panels.data();
  const bool large = static_cast<std::int64_t>(p.reach) * kChunkBytes * kGroup <= kGroupBytes;
  std::int64_t chunk = 0;
  for (; large && chunk + kGroup <= args.chunks; chunk += kGroup)
    for (std::int64_t i = first; i < last; ++i) gradient_panel<T, kGroup>(args, chunk, panels[i]);
  // Blocks of 2 load their rows so often that a single chunk's in the nearest cache pay more.
  for (; p.block != 2 && chunk + half <= args.chunks; chunk += half)
    for (std::int64_t i = first; i < last; ++i) gradient_panel<T, half>(args, chunk, panels[i]);
  for (; chunk < args.chunks; ++chunk)
    for (std::int64_t i = first; i < last; ++i) gradient_panel<T, 1>(args, chunk, panels[i]);
}
