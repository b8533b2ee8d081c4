// The sweep kernels: what one thread does with one task.
//
// A chunk is 128 bytes of samples (32 float, 16 double). States are stored chunk by chunk,
// feature-major inside: state[chunk][node][lane]. A node's lanes stay in vector registers while
// its edges stream by; nothing is shared between chunks, so threads need no barrier. (Splitting a
// chunk's vectors over threads was measured: a node's own overhead leaves nothing to gain.) Where
// there are fewer chunks than threads, a task is one group of the program's parts instead.
#pragma once
#include <cstdint>

#include "program.hpp"

namespace nervure {

constexpr int kChunkBytes = 128;
template <class T>
constexpr int kLanes = kChunkBytes / static_cast<int>(sizeof(T));

// What a solver has to say of each sample; all null when the graph has no cycles. A sample that is
// lost in a component takes no part in what follows it in its group, but in the other groups: so it
// does not matter which of them come first.
template <class T>
struct Report {
  T* residual = nullptr;            // (batch,) worst residual over components
  std::int32_t* sweeps = nullptr;   // (batch,) most sweeps over components
  std::int32_t* failed = nullptr;   // (batch,) lowest component it was lost in, or -1
  std::uint8_t* recovered = nullptr;  // (batch,) whether sweeps alone did not solve it
};

template <class T>
struct ForwardArgs {
  const Program* program;
  std::int64_t batch;
  const T* drive;   // (batch, inputs), rows contiguous
  const T* weight;  // one per edge, edge order; blocks are [target][source]
  const T* bias;    // (nodes,) or null
  T* state;         // (chunks, nodes, lanes)
  T* slope;         // as state, or null if no activation needs it
  T* output;        // (batch, outputs)
  T tolerance;      // on max |f(z(a)) - a| / max(1, max |a|), per component and sample
  std::int32_t max_sweeps;
  T leak;  // slope of leaky relu below zero
  Report<T> report;
};

template <class T>
struct AdjointArgs {
  const Program* program;
  std::int64_t batch;
  const T* grad_output;  // (batch, outputs)
  const T* weight;       // in the order of backward.neighbours, blocks [source][target]; without
                         // cycles in edge order
  const T* state;
  const T* slope;
  const std::uint8_t* converged;  // samples without a forward solution add nothing; null: all have
  T* delta;                       // (chunks, nodes, lanes): dL/dz
  T* grad_drive;  // (batch, inputs); null: pure inputs may be passed over (Wiring::input_bias)
  T tolerance;                    // relative to the largest |dL/da| of the sample's component
  std::int32_t max_sweeps;
  T leak;
  Report<T> report;
};

template <class T>
struct EdgeGradientArgs {
  const Program* program;
  std::int64_t chunks;
  const T* state;
  const T* delta;
  T* grad_weight;  // one per edge, or null
  T* grad_bias;    // (nodes,) or null
};

// One optimizer step on a dense weight matrix [target][source] with biases on its diagonal: the
// rule's decay, then SGD as torch does it, then a list of the entries that may be kept.
template <class T>
struct DenseUpdateArgs {
  std::int32_t nodes;
  T* weight;
  const T* gradient;
  T* momentum;  // or null
  bool first;   // momentum holds nothing yet
  T rate, momentum_factor, undamped /* 1 - dampening */, weight_decay;
  bool nesterov, maximize;
  // Decay of the entry (i, j), i != j: r = size[i] size[j], times exp(|w| / largest) for edges.
  int form;         // 0 none, 1 w / (1 + s r), 2 w max(0, 1 - s r), 3 w (1 - s r)
  T strength;       // s = learning rate x alpha
  const T* size;    // (nodes,)
  T largest;        // of |w| over the edges; 0: no edge is told apart
  const std::int32_t *indptr, *sources;
  T hint;  // entries of at least this size are listed
};

template <class T>
struct Candidate {
  T size;
  std::int32_t source;
};

// Where one thread lists the entries of its rows.
template <class T>
struct Candidates {
  Candidate<T>* at;
  std::int64_t room, count;
  bool nan;
};

template <class T>
struct Kernels {
  void (*forward)(const ForwardArgs<T>&, std::int64_t chunk);
  void (*adjoint)(const AdjointArgs<T>&, std::int64_t chunk);
  // One group of a chunk whose drive, or grad_output, is in lanes already.
  void (*forward_group)(const ForwardArgs<T>&, std::int64_t chunk, std::int32_t group,
                        const T* lanes);
  void (*adjoint_group)(const AdjointArgs<T>&, std::int64_t chunk, std::int32_t group,
                        const T* lanes);
  // Some columns of (samples, stride) -> (columns, lanes), missing samples zero; and rows of
  // (nodes, lanes) into some columns of (samples, stride).
  void (*to_lanes)(const T* matrix, std::int32_t stride, std::int32_t columns, int samples,
                   T* lanes);
  void (*from_lanes)(const T* lanes, const std::int32_t* rows, std::int32_t columns, int samples,
                     T* matrix, std::int32_t stride);
  // Forward panels first..last-1, all samples: one writer per edge, whatever the number of threads.
  void (*edge_gradient)(const EdgeGradientArgs<T>&, std::int64_t first, std::int64_t last);
  // One row; appends to the list, or counts on where there is no room.
  void (*update_row)(const DenseUpdateArgs<T>&, std::int32_t row, Candidates<T>&);
  void (*list_row)(const T* row, std::int32_t nodes, std::int32_t skip, T hint, Candidates<T>&);
};

// The fastest set of kernels this CPU can run, or the one named (v2, v3, v4, generic).
template <class T>
const Kernels<T>& kernels();
const char* instruction_set();
void use_instruction_set(const char* name);  // throws if unknown or not supported by the CPU

}  // namespace nervure
