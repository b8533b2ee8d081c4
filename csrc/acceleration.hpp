// Anderson acceleration of one component (type II; Walker and Ni 2011). Included inside the
// namespace of one instruction set.

// How many earlier iterates an update looks back on.
constexpr int kMemory = 8;

// What is kept of the iterates of a component, rows in the order of the visits.
template <class T>
class History {
 public:
  explicit History(std::int64_t count)
      : count_(count), buffer_((3 + 2 * kMemory) * count * kLanes<T>) {
    // A change that has not happened yet is none.
    std::memset(move_change(0), 0, 2 * kMemory * count * kLanes<T> * sizeof(T));
  }
  T* image() const { return part(now_); }
  T* last_image() const { return part(1 - now_); }
  T* last_move() const { return part(2); }
  T* move_change(int j) const { return part(3 + j); }
  T* image_change(int j) const { return part(3 + kMemory + j); }
  void turn() { now_ = 1 - now_; }

 private:
  T* part(int i) const { return buffer_.get() + i * count_ * kLanes<T>; }
  std::int64_t count_;
  Buffer<T> buffer_;
  int now_ = 0;
};

// Lists the images of a visit.
template <class T>
struct Collect {
  T* to;

  [[gnu::always_inline]] inline void operator()(std::int32_t, const Row<T>& next) {
    store_row<T>(to, next);
    to += kLanes<T>;
  }
};

// Products of the changes with each other and with the last move, lane by lane.
template <class T>
struct Products {
  Row<T> gram[kMemory][kMemory] = {};
  Row<T> right[kMemory] = {};
};

// One register of each row: takes the move image - x and its change from the last move down in the
// history's place, forms the products, and tracks the largest move and value. Moves are measured in
// units of the first one, so that squares of the smallest gradients do not vanish.
template <class T, class Problem>
void take_down(const Problem& problem, const History<T>& history, int place,
               const Row<T>* units, int v, Products<T>& products, RowMask<T>& change,
               RowMask<T>& size) {
  const std::int64_t at = v * kWidth<T>;
  Vec<T> fresh[kMemory] = {}, right[kMemory] = {};
  Mask<T> largest = change.v[v], scale = size.v[v];
  T* moved = history.last_move() + at;
  const T *image = history.image() + at, *last = history.last_image() + at;
  for (std::int64_t slot = problem.base_slot; slot < problem.end_slot; ++slot) {
    const std::int64_t offset = (slot - problem.base_slot) * kLanes<T>;
    const Vec<T> x = load<T>(problem.row(problem.node_at(slot)) + at);
    const Vec<T> next = load<T>(image + offset);
    const Vec<T> move = next - x;
    largest = larger<T>(largest, size_bits<T>(move));
    scale = larger<T>(scale, size_bits<T>(x));
    if (units) {
      const Vec<T> unit = units->v[v], measured = move * unit;
      const Vec<T> step = measured - load<T>(moved + offset) * unit;
      store<T>(history.move_change(place) + at + offset, step);
      store<T>(history.image_change(place) + at + offset, next - load<T>(last + offset));
      NERVURE_UNROLL for (int j = 0; j < kMemory; ++j) {
        const Vec<T> other = load<T>(history.move_change(j) + at + offset);
        fresh[j] += step * other;
        right[j] += measured * other;
      }
    }
    store<T>(moved + offset, move);
  }
  change.v[v] = largest;
  size.v[v] = scale;
  for (int j = 0; j < kMemory; ++j) {
    products.gram[place][j].v[v] = products.gram[j][place].v[v] = fresh[j];
    products.right[j].v[v] = right[j];
  }
}

// Of a change's own square: less of it is rounding, and the change a mixture of others.
template <class T>
constexpr T kIndependent = sizeof(T) == 4 ? T(1e-6) : T(1e-13);

// Solves gram weights = right by LDL^T, for the changes 0 ... depth - 1 of which the one at `newest`
// comes first, so that of changes that repeat each other the newest counts. The others, and those
// that have not happened yet, weigh nothing.
template <class T>
void mixing_weights(const Products<T>& products, int v, int newest, int depth, Vec<T>* weight) {
  int at[kMemory];
  for (int k = 0; k < depth; ++k) at[k] = (newest + depth - k) % depth;
  Vec<T> lower[kMemory][kMemory], pivot[kMemory], inverse[kMemory], y[kMemory];
  for (int j = 0; j < depth; ++j) {
    const Vec<T> own = products.gram[at[j]][at[j]].v[v];
    Vec<T> d = own;
    for (int k = 0; k < j; ++k) d -= lower[j][k] * lower[j][k] * pivot[k];
    const Mask<T> independent = d > own * kIndependent<T>;
    pivot[j] = independent ? d : Vec<T>{};
    inverse[j] = independent ? T(1) / d : Vec<T>{};
    for (int i = j + 1; i < depth; ++i) {
      Vec<T> sum = products.gram[at[i]][at[j]].v[v];
      for (int k = 0; k < j; ++k) sum -= lower[i][k] * lower[j][k] * pivot[k];
      lower[i][j] = sum * inverse[j];
    }
  }
  for (int i = 0; i < depth; ++i) {
    y[i] = products.right[at[i]].v[v];
    for (int k = 0; k < i; ++k) y[i] -= lower[i][k] * y[k];
  }
  for (int i = depth; i-- > 0;) {
    y[i] *= inverse[i];
    for (int k = i + 1; k < depth; ++k) y[i] -= lower[k][i] * y[k];
  }
  for (int j = 0; j < kMemory; ++j) weight[j] = Vec<T>{};
  for (int k = 0; k < depth; ++k) weight[at[k]] = y[k];
}

// Lets the masked lanes of a component begin at zero.
template <class T, class Problem>
void restart(const Problem& problem, const RowMask<T>& mask) {
  for (std::int64_t slot = problem.base_slot; slot < problem.end_slot; ++slot) {
    T* row = problem.row(problem.node_at(slot));
    for (int v = 0; v < kVectors; ++v) {
      const Vec<T> x = load<T>(row + v * kWidth<T>);
      store<T>(row + v * kWidth<T>, mask.v[v] ? Vec<T>{} : x);
    }
  }
}

// Solves the active lanes, from zero; those that it does not solve stay active. All nodes are at
// once replaced, so every iterate's true residual is known.
template <class T, class Problem>
void accelerate(const Problem& problem, const Panel* first, const Panel* last, T tolerance,
                std::int32_t max_sweeps, Lanes<T>& lanes) {
  const std::int64_t count = problem.end_slot - problem.base_slot;
  const Vec<T> largest = splat<T>(std::numeric_limits<T>::max());
  const int depth = static_cast<int>(std::min<std::int64_t>(kMemory, count));
  restart<T>(problem, lanes.active);
  History<T> history(count);
  Products<T> products;
  Row<T> units;
  RowMask<T> moving = lanes.active;
  lanes.pending = {};
  for (std::int32_t sweep = 0; sweep < max_sweeps && any<T>(moving); ++sweep) {
    Collect<T> collect{history.image()};
    visit<T>(problem, first, last, true, collect);
    const int place = (sweep + depth - 1) % depth;
    RowMask<T> change = {}, size = least_size<T>(problem);
    Vec<T> weight[kVectors][kMemory];
    Row<T> step, scale;
    for (int v = 0; v < kVectors; ++v) {
      take_down<T>(problem, history, place, sweep > 0 ? &units : nullptr, v, products, change,
                   size);
      mixing_weights<T>(products, v, place, depth, weight[v]);
      step.v[v] = value_of<T>(change.v[v]);
      scale.v[v] = value_of<T>(size.v[v]);
      if (sweep == 0) units.v[v] = step.v[v] > T(0) ? T(1) / step.v[v] : Vec<T>{};
    }
    for (int s = 0; s < kLanes<T>; ++s)
      if (lane<T>(moving, s)) {
        lanes.residual[s] = relative<T>(lane<T>(step, s), lane<T>(scale, s));
        ++lanes.sweeps[s];
      }
    for (int v = 0; v < kVectors; ++v) {
      const Mask<T> near = moving.v[v] & (step.v[v] <= tolerance * scale.v[v]);
      const Mask<T> lost = moving.v[v] & ~(step.v[v] <= largest);
      // A mixture of images may be none itself: a relu's negative, say, whose slope would be taken
      // for another. So what is near goes to its image, and is solved if that is near as well.
      const Mask<T> solved = near & lanes.pending.v[v];
      lanes.pending.v[v] = near;
      for (int j = 0; j < kMemory; ++j) weight[v][j] = near ? Vec<T>{} : weight[v][j];
      lanes.active.v[v] &= ~solved;
      lanes.accelerated.v[v] |= solved;
      moving.v[v] &= ~(solved | lost);
    }
    for (int v = 0; v < kVectors; ++v)
      for (std::int64_t slot = problem.base_slot; slot < problem.end_slot; ++slot) {
        const std::int64_t at = v * kWidth<T>;
        const std::int64_t offset = (slot - problem.base_slot) * kLanes<T> + at;
        T* row = problem.row(problem.node_at(slot)) + at;
        Vec<T> next = load<T>(history.image() + offset);
        NERVURE_UNROLL for (int j = 0; j < kMemory; ++j)
          next -= weight[v][j] * load<T>(history.image_change(j) + offset);
        store<T>(row, moving.v[v] ? next : load<T>(row));
      }
    history.turn();
  }
}
