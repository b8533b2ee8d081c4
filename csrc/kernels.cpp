// Compiled once per instruction set; NERVURE_ISA names the namespace.
#include "kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

namespace nervure {
namespace NERVURE_ISA {
namespace {

#include "vector_math.hpp"

// Independent accumulators hide the latency of fused multiply-add: eight in all.
constexpr int kUnroll = kVectors >= 8 ? 1 : 8 / kVectors;

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

// Memory that a thread keeps from call to call, so that a sweep in steady state allocates nothing.
template <class T>
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

// sum_k weight[k] * state[neighbour[k]], added to row.
template <class T>
inline void accumulate(Row<T>& row, const T* state, const std::int32_t* neighbour, const T* weight,
                       std::int32_t begin, std::int32_t end) {
  Row<T> part[kUnroll] = {};
  std::int32_t k = begin;
  for (; k + kUnroll <= end; k += kUnroll)
    for (int u = 0; u < kUnroll; ++u) {
      const T* x = state + static_cast<std::int64_t>(neighbour[k + u]) * kLanes<T>;
      for (int v = 0; v < kVectors; ++v)
        part[u].v[v] += weight[k + u] * load<T>(x + v * kWidth<T>);
    }
  for (; k < end; ++k) {
    const T* x = state + static_cast<std::int64_t>(neighbour[k]) * kLanes<T>;
    for (int v = 0; v < kVectors; ++v) part[0].v[v] += weight[k] * load<T>(x + v * kWidth<T>);
  }
  for (int u = 0; u < kUnroll; ++u)
    for (int v = 0; v < kVectors; ++v) row.v[v] += part[u].v[v];
}

// (batch, columns) rows of one chunk -> (columns, lanes), missing samples zero; and back.
constexpr int kBlock = 16;

template <class T>
void to_lanes(const T* matrix, std::int32_t columns, int samples, T* lanes) {
  if (samples < kLanes<T>) std::memset(lanes, 0, sizeof(T) * kLanes<T> * columns);
  for (std::int32_t j0 = 0; j0 < columns; j0 += kBlock) {
    const std::int32_t j1 = std::min(columns, j0 + kBlock);
    for (int s = 0; s < samples; ++s) {
      const T* row = matrix + static_cast<std::int64_t>(s) * columns;
      for (std::int32_t j = j0; j < j1; ++j)
        lanes[static_cast<std::int64_t>(j) * kLanes<T> + s] = row[j];
    }
  }
}

template <class T>
void from_lanes(const T* lanes, const std::int32_t* rows, std::int32_t columns, int samples,
                T* matrix) {
  for (std::int32_t j0 = 0; j0 < columns; j0 += kBlock) {
    const std::int32_t j1 = std::min(columns, j0 + kBlock);
    for (int s = 0; s < samples; ++s) {
      T* row = matrix + static_cast<std::int64_t>(s) * columns;
      for (std::int32_t j = j0; j < j1; ++j)
        row[j] = lanes[static_cast<std::int64_t>(rows[j]) * kLanes<T> + s];
    }
  }
}

// What one equilibrium solve knows of each lane.
template <class T>
struct Lanes {
  RowMask<T> active;  // still moving; all others are frozen, so that no sample sees its neighbours
  RowMask<T> pending;  // steps fell below the tolerance, residual not yet checked
  Row<T> step_tolerance;
  T residual[kLanes<T>];
  std::int32_t sweeps[kLanes<T>];
};

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

template <class T>
inline T relative(T residual, T scale) {
  return residual == 0 ? residual : residual / scale;
}

// Iterates x_i <- next(i) over the nodes of one component (Gauss-Seidel) until, for every lane,
// the true residual max_i |next(i) - x_i| / scale is within tolerance. `Problem` gives
//   evaluate(node, last)  the new row of a node; last = true in the checking pass
//   row(node)             where the node's row is stored
//   floor()               residuals count relative to the largest |x_i|, or to this if that is less
// Lanes that do not get there are returned with active set.
template <class T, class Problem>
void solve_component(const Problem& problem, const std::int32_t* first, const std::int32_t* last,
                     bool backwards, T tolerance, std::int32_t max_sweeps, const RowMask<T>& wanted,
                     Lanes<T>& lanes) {
  const std::int32_t count = static_cast<std::int32_t>(last - first);
  const Vec<T> largest = splat<T>(std::numeric_limits<T>::max());
  Row<T> at_least;
  for (int v = 0; v < kVectors; ++v) at_least.v[v] = splat<T>(problem.floor());
  lanes.active = wanted;
  lanes.pending = {};
  for (int v = 0; v < kVectors; ++v) lanes.step_tolerance.v[v] = splat<T>(tolerance);
  for (int s = 0; s < kLanes<T>; ++s) {
    lanes.residual[s] = 0;
    lanes.sweeps[s] = 0;
  }
  auto node = [&](std::int32_t i) { return backwards ? last[-1 - i] : first[i]; };
  RowMask<T> given_up = {};
  std::int32_t sweep = 0;
  for (;;) {
    while (any<T>(lanes.active) && sweep < max_sweeps) {
      ++sweep;
      Row<T> step = {}, scale = at_least;
      for (std::int32_t i = 0; i < count; ++i) {
        const Row<T> next = problem.evaluate(node(i), false);
        T* row = problem.row(node(i));
        for (int v = 0; v < kVectors; ++v) {
          const Vec<T> old = load<T>(row + v * kWidth<T>);
          const Vec<T> change = absolute<T>(next.v[v] - old);
          // NaN fails every comparison, so it is kept as the largest change by testing "not <=".
          const Mask<T> small = change <= step.v[v];
          const Mask<T> was_nan = step.v[v] != step.v[v];
          step.v[v] = (small | was_nan) ? step.v[v] : change;
          const Vec<T> size = absolute<T>(next.v[v]);
          scale.v[v] = size > scale.v[v] ? size : scale.v[v];
          store<T>(row + v * kWidth<T>, lanes.active.v[v] ? next.v[v] : old);
        }
      }
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> bound = lanes.step_tolerance.v[v] * scale.v[v];
        const Mask<T> settled = lanes.active.v[v] & (step.v[v] <= bound);
        const Mask<T> lost = lanes.active.v[v] & ~(step.v[v] <= largest);
        lanes.pending.v[v] |= settled;
        given_up.v[v] |= lost;
        lanes.active.v[v] &= ~(settled | lost);
      }
      for (int s = 0; s < kLanes<T>; ++s)
        if (lane<T>(wanted, s)) {
          if (lane<T>(lanes.active, s) || lanes.sweeps[s] == 0) lanes.sweeps[s] = sweep;
          if (lane<T>(lanes.active, s))
            lanes.residual[s] = relative<T>(lane<T>(step, s), lane<T>(scale, s));
        }
    }
    if (!any<T>(lanes.pending)) break;
    // The true residual of the settled lanes, all rows held still.
    Row<T> worst = {}, scale = at_least;
    for (std::int32_t i = 0; i < count; ++i) {
      const Row<T> next = problem.evaluate(node(i), true);
      const T* row = problem.row(node(i));
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> now = load<T>(row + v * kWidth<T>);
        const Vec<T> change = absolute<T>(next.v[v] - now);
        worst.v[v] = change <= worst.v[v] ? worst.v[v] : change;
        const Vec<T> size = absolute<T>(now);
        scale.v[v] = size > scale.v[v] ? size : scale.v[v];
      }
    }
    bool again = false;
    for (int v = 0; v < kVectors; ++v) {
      const Mask<T> moving = lanes.pending.v[v] & ~(worst.v[v] <= tolerance * scale.v[v]);
      lanes.active.v[v] |= moving;
      // A lane sent back must take smaller steps before it is checked again.
      lanes.step_tolerance.v[v] =
          moving ? lanes.step_tolerance.v[v] * T(0.25) : lanes.step_tolerance.v[v];
    }
    for (int s = 0; s < kLanes<T>; ++s) {
      if (lane<T>(lanes.pending, s))
        lanes.residual[s] = relative<T>(lane<T>(worst, s), lane<T>(scale, s));
      again |= lane<T>(lanes.active, s) != 0;
    }
    lanes.pending = {};
    if (!again || sweep >= max_sweeps) break;
  }
  for (int v = 0; v < kVectors; ++v) lanes.active.v[v] |= given_up.v[v];
  for (int s = 0; s < kLanes<T>; ++s)
    if (lane<T>(given_up, s)) lanes.residual[s] = std::numeric_limits<T>::infinity();
}

template <class T>
RowMask<T> lane_mask(int samples, const std::uint8_t* allowed) {
  RowMask<T> m = {};
  for (int s = 0; s < samples; ++s)
    if (!allowed || allowed[s]) lane<T>(m, s) = -1;
  return m;
}

template <class T>
struct ForwardProblem {
  const ForwardArgs<T>& args;
  const T* drive;
  T* state;
  T* slope;

  T floor() const { return 1; }
  T* row(std::int32_t node) const { return state + static_cast<std::int64_t>(node) * kLanes<T>; }
  Row<T> evaluate(std::int32_t node, bool with_slope) const {
    const PlanView& p = args.plan;
    Row<T> z;
    const std::int32_t column = p.input_row[node];
    if (column >= 0) {
      z = load_row<T>(drive + static_cast<std::int64_t>(column) * kLanes<T>);
    } else {
      z = Row<T>{};
    }
    if (args.bias)
      for (int v = 0; v < kVectors; ++v) z.v[v] += args.bias[node];
    accumulate<T>(z, state, p.sources, args.weight, p.indptr[node], p.indptr[node + 1]);
    const std::int32_t activation = p.activation[node];
    if (with_slope && slope && needs_slope(activation)) {
      T* at = slope + static_cast<std::int64_t>(node) * kLanes<T>;
      for (int v = 0; v < kVectors; ++v) {
        Vec<T> s;
        z.v[v] = activate<T>(activation, z.v[v], args.leak, &s);
        store<T>(at + v * kWidth<T>, s);
      }
    } else {
      for (int v = 0; v < kVectors; ++v)
        z.v[v] = activate<T>(activation, z.v[v], args.leak, nullptr);
    }
    return z;
  }
};

template <class T>
void forward(const ForwardArgs<T>& args, std::int64_t chunk) {
  const PlanView& p = args.plan;
  const std::int64_t begin = chunk * kLanes<T>;
  const int samples = static_cast<int>(std::min<std::int64_t>(kLanes<T>, args.batch - begin));
  T* drive = scratch<T>(static_cast<std::int64_t>(p.num_inputs) * kLanes<T>);
  to_lanes<T>(args.drive + begin * p.num_inputs, p.num_inputs, samples, drive);
  const std::int64_t offset = chunk * p.nodes * kLanes<T>;
  const ForwardProblem<T> problem{args, drive, args.state + offset,
                                  args.slope ? args.slope + offset : nullptr};
  RowMask<T> alive = lane_mask<T>(samples, nullptr);
  for (int s = 0; s < samples; ++s) {
    args.converged[begin + s] = 1;
    args.residual[begin + s] = 0;
    args.sweeps[begin + s] = 0;
    args.failed[begin + s] = -1;
  }
  for (std::int32_t c = 0; c < p.num_components; ++c) {
    const std::int32_t *first = p.order + p.comp_ptr[c], *last = p.order + p.comp_ptr[c + 1];
    if (last - first == 1) {
      const Row<T> a = problem.evaluate(*first, true);
      for (int v = 0; v < kVectors; ++v) store<T>(problem.row(*first) + v * kWidth<T>, a.v[v]);
      continue;
    }
    for (const std::int32_t* node = first; node < last; ++node)
      std::memset(problem.row(*node), 0, kChunkBytes);
    Lanes<T> lanes;
    solve_component<T>(problem, first, last, false, args.tolerance, args.max_sweeps, alive, lanes);
    for (int s = 0; s < samples; ++s) {
      if (!lane<T>(alive, s)) continue;
      const std::int64_t b = begin + s;
      args.residual[b] = std::max(args.residual[b], lanes.residual[s]);
      args.sweeps[b] = std::max(args.sweeps[b], lanes.sweeps[s]);
      if (lane<T>(lanes.active, s)) {
        args.converged[b] = 0;
        args.failed[b] = c;
        lane<T>(alive, s) = 0;
      }
    }
  }
  from_lanes<T>(problem.state, p.outputs, p.num_outputs, samples,
                args.output + begin * p.num_outputs);
}

template <class T>
struct AdjointProblem {
  const AdjointArgs<T>& args;
  const T* grad_output;
  const T* state;
  const T* slope;
  T* delta;

  T floor() const { return 0; }
  T* row(std::int32_t node) const { return delta + static_cast<std::int64_t>(node) * kLanes<T>; }
  Row<T> evaluate(std::int32_t node, bool) const {
    const PlanView& p = args.plan;
    Row<T> l;
    const std::int32_t column = p.output_row[node];
    if (column >= 0) {
      l = load_row<T>(grad_output + static_cast<std::int64_t>(column) * kLanes<T>);
    } else {
      l = Row<T>{};
    }
    accumulate<T>(l, delta, p.out_targets, args.weight, p.out_indptr[node], p.out_indptr[node + 1]);
    const std::int32_t activation = p.activation[node];
    const std::int64_t at = static_cast<std::int64_t>(node) * kLanes<T>;
    for (int v = 0; v < kVectors; ++v) {
      const Vec<T> s =
          needs_slope(activation)
              ? load<T>(slope + at + v * kWidth<T>)
              : slope_from_value<T>(activation, load<T>(state + at + v * kWidth<T>), args.leak);
      l.v[v] *= s;
    }
    return l;
  }
};

template <class T>
void adjoint(const AdjointArgs<T>& args, std::int64_t chunk) {
  const PlanView& p = args.plan;
  const std::int64_t begin = chunk * kLanes<T>;
  const int samples = static_cast<int>(std::min<std::int64_t>(kLanes<T>, args.batch - begin));
  T* grad_output = scratch<T>(static_cast<std::int64_t>(p.num_outputs) * kLanes<T>);
  to_lanes<T>(args.grad_output + begin * p.num_outputs, p.num_outputs, samples, grad_output);
  const std::int64_t offset = chunk * p.nodes * kLanes<T>;
  const AdjointProblem<T> problem{args, grad_output, args.state + offset,
                                  args.slope ? args.slope + offset : nullptr,
                                  args.delta + offset};
  RowMask<T> alive = lane_mask<T>(samples, args.converged + begin);
  for (int s = 0; s < samples; ++s) {
    args.residual[begin + s] = 0;
    args.sweeps[begin + s] = 0;
    args.failed[begin + s] = -1;
  }
  for (std::int32_t c = p.num_components - 1; c >= 0; --c) {
    const std::int32_t *first = p.order + p.comp_ptr[c], *last = p.order + p.comp_ptr[c + 1];
    if (last - first == 1) {
      const Row<T> d = problem.evaluate(*first, true);
      // Samples without a solution are left out here too, so that their values reach no weight.
      for (int v = 0; v < kVectors; ++v)
        store<T>(problem.row(*first) + v * kWidth<T>, alive.v[v] ? d.v[v] : Vec<T>{});
      continue;
    }
    for (const std::int32_t* node = first; node < last; ++node)
      std::memset(problem.row(*node), 0, kChunkBytes);
    Lanes<T> lanes;
    solve_component<T>(problem, first, last, true, args.tolerance, args.max_sweeps, alive, lanes);
    for (int s = 0; s < samples; ++s) {
      if (!lane<T>(alive, s)) continue;
      const std::int64_t b = begin + s;
      args.residual[b] = std::max(args.residual[b], lanes.residual[s]);
      args.sweeps[b] = std::max(args.sweeps[b], lanes.sweeps[s]);
      if (lane<T>(lanes.active, s)) {
        args.failed[b] = c;
        lane<T>(alive, s) = 0;
      }
    }
  }
  from_lanes<T>(problem.delta, p.inputs, p.num_inputs, samples,
                args.grad_drive + begin * p.num_inputs);
}

template <class T>
inline T sum_lanes(Vec<T> x) {
  T total = 0;
  for (int i = 0; i < kWidth<T>; ++i) total += x[i];
  return total;
}

// As many chunks at once as fill eight registers with the target's deltas.
constexpr int kGroup = kVectors >= 8 ? 1 : 8 / kVectors;
constexpr int kEdgesAtOnce = 4;

template <class T, int chunks>
void edge_gradient_group(const EdgeGradientArgs<T>& args, std::int64_t chunk, std::int32_t first,
                         std::int32_t last) {
  const PlanView& p = args.plan;
  const std::int64_t stride = static_cast<std::int64_t>(p.nodes) * kLanes<T>;
  const T* state = args.state + chunk * stride;
  const T* delta = args.delta + chunk * stride;
  for (std::int32_t i = first; i < last; ++i) {
    Vec<T> d[chunks][kVectors], total = {};
    for (int g = 0; g < chunks; ++g)
      for (int v = 0; v < kVectors; ++v) {
        d[g][v] = load<T>(delta + g * stride + static_cast<std::int64_t>(i) * kLanes<T> +
                          v * kWidth<T>);
        total += d[g][v];
      }
    args.grad_bias[i] += sum_lanes<T>(total);
    if (!args.grad_weight) continue;
    std::int32_t k = p.indptr[i];
    for (; k + kEdgesAtOnce <= p.indptr[i + 1]; k += kEdgesAtOnce) {
      Vec<T> sum[kEdgesAtOnce] = {};
      for (int e = 0; e < kEdgesAtOnce; ++e) {
        const T* x = state + static_cast<std::int64_t>(p.sources[k + e]) * kLanes<T>;
        for (int g = 0; g < chunks; ++g)
          for (int v = 0; v < kVectors; ++v)
            sum[e] += d[g][v] * load<T>(x + g * stride + v * kWidth<T>);
      }
      for (int e = 0; e < kEdgesAtOnce; ++e) args.grad_weight[k + e] += sum_lanes<T>(sum[e]);
    }
    for (; k < p.indptr[i + 1]; ++k) {
      const T* x = state + static_cast<std::int64_t>(p.sources[k]) * kLanes<T>;
      Vec<T> sum = {};
      for (int g = 0; g < chunks; ++g)
        for (int v = 0; v < kVectors; ++v)
          sum += d[g][v] * load<T>(x + g * stride + v * kWidth<T>);
      args.grad_weight[k] += sum_lanes<T>(sum);
    }
  }
}

template <class T>
void edge_gradient(const EdgeGradientArgs<T>& args, std::int32_t first, std::int32_t last) {
  std::int64_t chunk = 0;
  for (; chunk + kGroup <= args.chunks; chunk += kGroup)
    edge_gradient_group<T, kGroup>(args, chunk, first, last);
  for (; chunk < args.chunks; ++chunk) edge_gradient_group<T, 1>(args, chunk, first, last);
}

}  // namespace

template <class T>
Kernels<T> table() {
  return {forward<T>, adjoint<T>, edge_gradient<T>};
}
template Kernels<float> table<float>();
template Kernels<double> table<double>();

}  // namespace NERVURE_ISA
}  // namespace nervure
