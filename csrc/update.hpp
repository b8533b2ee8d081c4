// One row of the dense optimizer step, and listing a row's large entries. Included inside the
// namespace of one instruction set.

template <class T>
inline void list(T size, std::int32_t source, Candidates<T>& out) {
  if (out.count < out.room) out.at[out.count] = {size, source};
  ++out.count;
}

// Appends the entries of at least `hint`, but for column `skip`, and notes NaN.
template <class T>
void list_row(const T* row, std::int32_t nodes, std::int32_t skip, T hint, Candidates<T>& out) {
  std::int32_t j = 0;
  for (; j + kWidth<T> <= nodes; j += kWidth<T>) {
    const Vec<T> size = absolute<T>(load<T>(row + j));
    const Mask<T> below = size < hint;  // NaN is not below
    typename VectorOf<T>::Int all = -1;
    for (int i = 0; i < kWidth<T>; ++i) all &= below[i];
    if (all) continue;
    for (int i = 0; i < kWidth<T>; ++i) {
      if (below[i]) continue;
      out.nan |= size[i] != size[i];
      if (j + i != skip) list<T>(size[i], j + i, out);
    }
  }
  for (; j < nodes; ++j) {
    const T size = std::abs(row[j]);
    if (size < hint) continue;
    out.nan |= size != size;
    if (j != skip) list<T>(size, j, out);
  }
}

// Weight w after the decay s = strength x r of the chosen form (DenseUpdateArgs::form).
template <int form, class T>
[[gnu::always_inline]] inline T decayed(T w, T s) {
  if constexpr (form == 1) return w / (T(1) + s);
  if constexpr (form == 2) return w * (T(1) - s > T(0) ? T(1) - s : T(0));
  if constexpr (form == 3) return w * (T(1) - s);
  return w;
}

// Calls body with the form as a constant, so that its loops have no branch inside.
template <class Body>
inline void with_form(int form, Body&& body) {
  switch (form) {
    case 1: return body(std::integral_constant<int, 1>());
    case 2: return body(std::integral_constant<int, 2>());
    case 3: return body(std::integral_constant<int, 3>());
    default: return body(std::integral_constant<int, 0>());
  }
}

template <class T>
void update_row(const DenseUpdateArgs<T>& args, std::int32_t i, Candidates<T>& out) {
  const std::int32_t n = args.nodes;
  T* w = args.weight + static_cast<std::int64_t>(i) * n;
  const T* g = args.gradient + static_cast<std::int64_t>(i) * n;
  T* m = args.momentum ? args.momentum + static_cast<std::int64_t>(i) * n : nullptr;
  // Stretch by stretch: the decay of all entries alike, then those that decay otherwise put right,
  // then the step.
  const T bias = w[i];
  constexpr std::int32_t kStretch = 2048;
  T buffer[kStretch];
  std::int32_t edge = args.indptr ? args.indptr[i] : 0;
  const std::int32_t last_edge = args.indptr ? args.indptr[i + 1] : 0;
  const T scale = args.form ? args.size[i] : T(0);
  for (std::int32_t begin = 0; begin < n; begin += kStretch) {
    const std::int32_t length = std::min(kStretch, n - begin);
    const T* size = args.size + begin;
    T* row = w + begin;
    with_form(args.form, [&](auto form) {
      if constexpr (form == 0) {
        std::memcpy(buffer, row, sizeof(T) * length);
      } else {
        for (std::int32_t j = 0; j < length; ++j)
          buffer[j] = decayed<form>(row[j], args.strength * (scale * size[j]));
        if (args.largest > T(0))
          for (; edge < last_edge && args.sources[edge] < begin + length; ++edge) {
            const std::int32_t j = args.sources[edge];
            const T r = scale * args.size[j] * std::exp(std::abs(w[j]) / args.largest);
            buffer[j - begin] = decayed<form>(w[j], args.strength * r);
          }
      }
    });
    if (i >= begin && i < begin + length) buffer[i - begin] = bias;
    const T sign = args.maximize ? T(-1) : T(1);
    const T rate = args.rate, factor = args.momentum_factor, undamped = args.undamped;
    const T decay = args.weight_decay, *grad = g + begin;
    if (!m) {
      for (std::int32_t j = 0; j < length; ++j)
        row[j] = buffer[j] - rate * (sign * grad[j] + decay * buffer[j]);
    } else {
      T* velocity = m + begin;
      if (args.first) {
        for (std::int32_t j = 0; j < length; ++j)
          velocity[j] = sign * grad[j] + decay * buffer[j];
        const T ahead = args.nesterov ? T(1) + factor : T(1);
        for (std::int32_t j = 0; j < length; ++j) row[j] = buffer[j] - rate * (ahead * velocity[j]);
      } else if (args.nesterov) {
        for (std::int32_t j = 0; j < length; ++j) {
          const T step = sign * grad[j] + decay * buffer[j];
          velocity[j] = factor * velocity[j] + undamped * step;
          row[j] = buffer[j] - rate * (step + factor * velocity[j]);
        }
      } else {
        for (std::int32_t j = 0; j < length; ++j) {
          velocity[j] = factor * velocity[j] + undamped * (sign * grad[j] + decay * buffer[j]);
          row[j] = buffer[j] - rate * velocity[j];
        }
      }
    }
  }
  list_row<T>(w, n, i, args.hint, out);
}
