// Between matrices of samples and lanes of nodes. Included inside the namespace of one instruction
// set.

// Lane i after exchanging the off-diagonal U x U squares of two rows that stand U apart.
template <class T, int U>
constexpr int upper_lane(int i) {
  return i & U ? kWidth<T> + i - U : i;
}
template <class T, int U>
constexpr int lower_lane(int i) {
  return i & U ? kWidth<T> + i : i + U;
}
template <class T, int U, int... I>
[[gnu::always_inline]] inline void exchange(Vec<T>& a, Vec<T>& b, std::integer_sequence<int, I...>) {
  const Vec<T> upper = __builtin_shufflevector(a, b, upper_lane<T, U>(I)...);
  b = __builtin_shufflevector(a, b, lower_lane<T, U>(I)...);
  a = upper;
}

// Transposes a square of kWidth vectors in registers.
template <class T, int U = kWidth<T> / 2>
[[gnu::always_inline]] inline void transpose(Vec<T>* x) {
  constexpr auto lanes = std::make_integer_sequence<int, kWidth<T>>();
  NERVURE_UNROLL for (int i = 0; i < kWidth<T>; ++i)
    if (!(i & U)) exchange<T, U>(x[i], x[i + U], lanes);
  if constexpr (U > 1) transpose<T, U / 2>(x);
}

// Columns of (samples, stride) -> (columns, lanes), missing samples zero.
template <class T>
void to_lanes(const T* matrix, std::int32_t stride, std::int32_t columns, int samples, T* lanes) {
  constexpr int W = kWidth<T>;
  std::int32_t j = 0;
  for (; j + W <= columns; j += W)
    for (int s0 = 0; s0 < kLanes<T>; s0 += W) {
      Vec<T> x[W];
      NERVURE_UNROLL for (int s = 0; s < W; ++s)
        x[s] = s0 + s < samples
                   ? load<T>(matrix + static_cast<std::int64_t>(s0 + s) * stride + j)
                   : Vec<T>{};
      transpose<T>(x);
      NERVURE_UNROLL for (int c = 0; c < W; ++c) store<T>(at_node(lanes, j + c) + s0, x[c]);
    }
  for (; j < columns; ++j)
    for (int s = 0; s < kLanes<T>; ++s)
      at_node(lanes, j)[s] = s < samples ? matrix[static_cast<std::int64_t>(s) * stride + j] : T(0);
}

// Rows `rows` of (nodes, lanes) -> columns of (samples, stride).
template <class T>
void from_lanes(const T* lanes, const std::int32_t* rows, std::int32_t columns, int samples,
                T* matrix, std::int32_t stride) {
  constexpr int W = kWidth<T>;
  std::int32_t j = 0;
  for (; j + W <= columns; j += W)
    for (int s0 = 0; s0 < samples; s0 += W) {
      Vec<T> x[W];
      NERVURE_UNROLL for (int c = 0; c < W; ++c) x[c] = load<T>(at_node(lanes, rows[j + c]) + s0);
      transpose<T>(x);
      NERVURE_UNROLL for (int s = 0; s < W; ++s)
        if (s0 + s < samples)
          store<T>(matrix + static_cast<std::int64_t>(s0 + s) * stride + j, x[s]);
    }
  for (; j < columns; ++j)
    for (int s = 0; s < samples; ++s)
      matrix[static_cast<std::int64_t>(s) * stride + j] = at_node(lanes, rows[j])[s];
}
