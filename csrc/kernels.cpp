// Compiled once per instruction set; NERVURE_ISA names the namespace.
#include "kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "memory.hpp"

namespace nervure {
namespace NERVURE_ISA {
namespace {

// Memory that a thread keeps from call to call, so that a sweep in steady state allocates nothing.
template <class T, int purpose = 0>
T* scratch(std::int64_t count) {
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<T, Free> memory;
  thread_local std::int64_t capacity = 0;
  if (count > capacity) {
    memory.reset(static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t{64})));
    capacity = count;
  }
  return memory.get();
}

// Denormal numbers are taken as zero while a sweep runs: they arise by the thousands when values
// decay along a deep graph, carry no information, and cost tens of times what others do.
class FlushDenormals {
 public:
#if defined(__SSE2__)
  FlushDenormals() : before_(__builtin_ia32_stmxcsr()) {
    __builtin_ia32_ldmxcsr(before_ | 0x8040u);
  }
  ~FlushDenormals() { __builtin_ia32_ldmxcsr(before_); }

 private:
  unsigned before_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | (std::uint64_t{1} << 24)));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  std::uint64_t before_;
#else
  FlushDenormals() {}
  ~FlushDenormals() {}
#endif
};

#include "vector_math.hpp"
#include "rows.hpp"
#include "transpose.hpp"
#include "equilibrium.hpp"
#include "gradient.hpp"
#include "update.hpp"

// Which samples a chunk has, and where its rows begin.
template <class T>
struct Share {
  std::int64_t begin, offset;
  int samples;
  Share(const Program& p, std::int64_t batch, std::int64_t chunk)
      : begin(chunk * kLanes<T>),
        offset(chunk * p.nodes * kLanes<T>),
        samples(static_cast<int>(std::min<std::int64_t>(kLanes<T>, batch - begin))) {}
};

// The common activations are inlined; code for the others would crowd the loops that call it.
template <class T>
[[gnu::noinline]] void activate_row(std::int32_t activation, T leak, Row<T>& z, T* slope) {
  if (slope && needs_slope(activation)) {
    for (int v = 0; v < kVectors; ++v) {
      Vec<T> s;
      z.v[v] = activate<T>(activation, z.v[v], leak, &s);
      store<T>(slope + v * kWidth<T>, s);
    }
  } else {
    // Side by side, so that each vector's chain of operations hides the other's latency.
    NERVURE_UNROLL for (int v = 0; v < kVectors; ++v)
      z.v[v] = activate<T>(activation, z.v[v], leak, nullptr);
  }
}

// While a component is solved, what its nodes start from stands in the order of the visits: a node
// is visited many times, and its own row would be one more that is not next to the last.
template <class T, class Derived>
struct Problem {
  const Program& p;
  const Walk& walk;
  const T* weights;
  T* rows;
  T* base = nullptr;           // (component's nodes, lanes), or null outside of components
  std::int64_t base_slot = 0, end_slot = 0;  // the first one's place in the order, and past the last

  T* row(std::int32_t node) const { return at_node(rows, node); }
  std::int32_t node_at(std::int64_t slot) const {
    return p.block == 1 ? walk.order[slot]
                        : walk.order[slot / p.block] * p.block +
                              static_cast<std::int32_t>(slot % p.block);
  }
  [[gnu::always_inline]] inline Row<T> start(std::int32_t node, std::int64_t slot) const {
    return base ? load_row<T>(at_node(base, slot - base_slot)) : self().fresh(node);
  }
  void enter(const Panel* first, const Panel* last) {
    base_slot = static_cast<std::int64_t>(first->first) * p.block;
    end_slot = static_cast<std::int64_t>(last[-1].first + last[-1].rows) * p.block;
    base = scratch<T, 1>((end_slot - base_slot) * kLanes<T>);
    self().reserve(end_slot - base_slot);
    for (std::int64_t slot = base_slot; slot < end_slot; ++slot) {
      const std::int32_t node = node_at(slot);
      store_row<T>(row(node), Row<T>{});
      store_row<T>(at_node(base, slot - base_slot), self().fresh(node));
      self().prepare(node, slot - base_slot);
    }
  }
  void leave() { base = nullptr; }

 private:
  const Derived& self() const { return static_cast<const Derived&>(*this); }
  Derived& self() { return static_cast<Derived&>(*this); }
};

template <class T>
struct ForwardProblem : Problem<T, ForwardProblem<T>> {
  const std::int32_t* activation;
  const T* bias;
  const T* drive;
  T* slope;
  T leak;
  static constexpr bool pairs = true;
  static constexpr bool wanted(const Panel&) { return true; }
  template <int S>
  void prefetch(std::int32_t) const {}

  T floor() const { return 1; }
  void reserve(std::int64_t) {}
  void prepare(std::int32_t, std::int64_t) {}
  Row<T> fresh(std::int32_t node) const {
    const std::int32_t column = this->p.input_row[node];
    Row<T> z = {};
    if (column >= 0) z = load_row<T>(at_node(drive, column));
    if (bias)
      for (int v = 0; v < kVectors; ++v) z.v[v] += bias[node];
    return z;
  }
  [[gnu::always_inline]] inline void apply(std::int32_t node, std::int64_t, bool last,
                                           Row<T>& z) const {
    const std::int32_t code = activation[node];
    if (code == kRelu) {
      const Vec<T> zero = {};
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) z.v[v] = z.v[v] < zero ? zero : z.v[v];
    } else if (code == kTanh) {
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) z.v[v] = hyperbolic_tangent<T>(z.v[v]);
    } else if (code != kIdentity) {
      Row<T> result = z;  // whose address is given away, so that z need not stand in memory
      activate_row<T>(code, leak, result, last && slope ? at_node(slope, node) : nullptr);
      z = result;
    }
  }
};

// Groups first..last-1 of a chunk.
template <class T>
void forward_groups(const ForwardArgs<T>& args, const Share<T>& share, const T* drive,
                    std::int32_t first, std::int32_t last) {
  const Program& p = *args.program;
  ForwardProblem<T> problem{{p, p.forward, args.weight, args.state + share.offset},
                            p.activation.data(),
                            args.bias,
                            drive,
                            args.slope ? args.slope + share.offset : nullptr,
                            args.leak};
  const RowMask<T> alive = lane_mask<T>(share.samples, nullptr);
  for (std::int32_t g = first; g < last; ++g)
    walk_group<T>(problem, p.forward.groups.data()[g], args.tolerance, args.max_sweeps, share.begin,
                  share.samples, alive, args.report);
}

template <class T>
void forward(const ForwardArgs<T>& args, std::int64_t chunk) {
  const FlushDenormals flush;
  const Program& p = *args.program;
  const Share<T> share(p, args.batch, chunk);
  T* drive = scratch<T>(static_cast<std::int64_t>(p.num_inputs) * kLanes<T>);
  to_lanes<T>(args.drive + share.begin * p.num_inputs, p.num_inputs, p.num_inputs, share.samples,
              drive);
  forward_groups<T>(args, share, drive, 0, p.num_groups);
  from_lanes<T>(args.state + share.offset, p.outputs.data(), p.num_outputs, share.samples,
                args.output + share.begin * p.num_outputs, p.num_outputs);
}

template <class T>
void forward_group(const ForwardArgs<T>& args, std::int64_t chunk, std::int32_t group,
                   const T* drive) {
  const FlushDenormals flush;
  forward_groups<T>(args, Share<T>(*args.program, args.batch, chunk), drive, group, group + 1);
}

template <class T>
struct AdjointProblem : Problem<T, AdjointProblem<T>> {
  const T* grad_output;
  const T* state;
  const T* slope;
  T leak;
  bool stop_at_inputs;  // nobody asks what reaches the pure inputs
  T* factor = nullptr;  // f'(z) in the order of the visits
  static constexpr bool pairs = false;
  template <int S>
  [[gnu::always_inline]] inline void prefetch(std::int32_t node) const {
    if (!this->base) prefetch_rows<S>(at_node(state, node));
  }
  bool wanted(const Panel& panel) const { return !(stop_at_inputs && panel.only_inputs); }

  T floor() const { return 0; }
  void reserve(std::int64_t count) { factor = scratch<T, 2>(count * kLanes<T>); }
  void prepare(std::int32_t node, std::int64_t place) {
    Row<T> one;
    for (int v = 0; v < kVectors; ++v) one.v[v] = splat<T>(T(1));
    times_slope(node, one);
    store_row<T>(at_node(factor, place), one);
  }
  Row<T> fresh(std::int32_t node) const {
    const std::int32_t column = this->p.output_row[node];
    return column >= 0 ? load_row<T>(at_node(grad_output, column)) : Row<T>{};
  }
  // dL/dz = f'(z) dL/da
  void times_slope(std::int32_t node, Row<T>& l) const {
    const std::int32_t code = this->p.activation[node];
    const T* a = at_node(state, node);
    if (code == kIdentity) return;
    for (int v = 0; v < kVectors; ++v) {
      if (code == kRelu) {
        l.v[v] = load<T>(a + v * kWidth<T>) > T(0) ? l.v[v] : Vec<T>{};
      } else if (needs_slope(code)) {
        l.v[v] *= load<T>(at_node(slope, node) + v * kWidth<T>);
      } else {
        l.v[v] *= slope_from_value<T>(code, load<T>(a + v * kWidth<T>), leak);
      }
    }
  }
  [[gnu::always_inline]] inline void apply(std::int32_t node, std::int64_t slot, bool,
                                           Row<T>& l) const {
    if (this->base) {
      const T* f = at_node(factor, slot - this->base_slot);
      NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) l.v[v] *= load<T>(f + v * kWidth<T>);
    } else {
      times_slope(node, l);
    }
  }
};

#include "scatter.hpp"

// Groups first..last-1 of a chunk.
template <class T>
void adjoint_groups(const AdjointArgs<T>& args, const Share<T>& share, const T* grad_output,
                    std::int32_t first, std::int32_t last) {
  const Program& p = *args.program;
  const Walk& walk = p.gathers ? p.backward : p.forward;
  AdjointProblem<T> problem{{p, walk, args.weight, args.delta + share.offset},
                            grad_output,
                            args.state + share.offset,
                            args.slope ? args.slope + share.offset : nullptr,
                            args.leak,
                            !p.input_bias && !args.grad_drive};
  // Samples without a solution are left out, so that their values reach no weight.
  const RowMask<T> alive =
      lane_mask<T>(share.samples, args.converged ? args.converged + share.begin : nullptr);
  for (std::int32_t g = first; g < last; ++g) {
    const Group& group = walk.groups.data()[g];
    if (p.gathers) {
      walk_group<T>(problem, group, args.tolerance, args.max_sweeps, share.begin, share.samples,
                    alive, args.report);
    } else {
      scatter_group<T>(problem, group, alive);
    }
  }
}

template <class T>
void adjoint(const AdjointArgs<T>& args, std::int64_t chunk) {
  const FlushDenormals flush;
  const Program& p = *args.program;
  const Share<T> share(p, args.batch, chunk);
  T* grad_output = scratch<T>(static_cast<std::int64_t>(p.num_outputs) * kLanes<T>);
  to_lanes<T>(args.grad_output + share.begin * p.num_outputs, p.num_outputs, p.num_outputs,
              share.samples, grad_output);
  adjoint_groups<T>(args, share, grad_output, 0, p.num_groups);
  if (args.grad_drive)
    from_lanes<T>(args.delta + share.offset, p.inputs.data(), p.num_inputs, share.samples,
                  args.grad_drive + share.begin * p.num_inputs, p.num_inputs);
}

template <class T>
void adjoint_group(const AdjointArgs<T>& args, std::int64_t chunk, std::int32_t group,
                   const T* grad_output) {
  const FlushDenormals flush;
  adjoint_groups<T>(args, Share<T>(*args.program, args.batch, chunk), grad_output, group, group + 1);
}

}  // namespace

template <class T>
Kernels<T> table() {
  return {forward<T>,  adjoint<T>,    forward_group<T>, adjoint_group<T>, to_lanes<T>,
          from_lanes<T>, edge_gradient<T>, update_row<T>,    list_row<T>};
}
template Kernels<float> table<float>();
template Kernels<double> table<double>();

}  // namespace NERVURE_ISA
}  // namespace nervure
