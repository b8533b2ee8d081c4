// The sweep kernels: what one thread does with one chunk of samples.
//
// A chunk is 128 bytes of samples (32 float, 16 double). States are stored chunk by chunk,
// feature-major inside: state[chunk][node][lane]. A node's lanes stay in vector registers while
// its edges stream by; nothing is shared between chunks, so threads need no barrier.
#pragma once
#include <cstdint>

#include "plan.hpp"

namespace nervure {

constexpr int kChunkBytes = 128;
template <class T>
constexpr int kLanes = kChunkBytes / static_cast<int>(sizeof(T));

template <class T>
struct ForwardArgs {
  PlanView plan;
  std::int64_t batch;
  const T* drive;  // (batch, inputs), rows contiguous
  const T* weight;  // (edges,), edge order
  const T* bias;    // (nodes,) or null
  T* state;         // (chunks, nodes, lanes)
  T* slope;         // as state, or null if no activation needs it
  T* output;        // (batch, outputs)
  T tolerance;      // on max |f(z(a)) - a| / max(1, max |a|), per component and sample
  std::int32_t max_sweeps;
  T leak;           // slope of leaky relu below zero
  std::uint8_t* converged;  // (batch,)
  T* residual;              // (batch,) worst residual over components
  std::int32_t* sweeps;     // (batch,) most sweeps over components
  std::int32_t* failed;     // (batch,) first component that did not converge, or -1
};

template <class T>
struct AdjointArgs {
  PlanView plan;
  std::int64_t batch;
  const T* grad_output;  // (batch, outputs)
  const T* weight;       // (edges,) in the order of plan.out_edge
  const T* state;
  const T* slope;
  const std::uint8_t* converged;  // samples without a forward solution contribute nothing
  T* delta;                       // (chunks, nodes, lanes): dL/dz
  T* grad_drive;                  // (batch, inputs)
  T tolerance;                    // relative to the largest |dL/da| of the sample's component
  std::int32_t max_sweeps;
  T leak;
  T* residual;
  std::int32_t* sweeps;
  std::int32_t* failed;
};

template <class T>
struct EdgeGradientArgs {
  PlanView plan;
  std::int64_t chunks;
  const T* state;
  const T* delta;
  T* grad_weight;  // (edges,) or null
  T* grad_bias;    // (nodes,)
};

template <class T>
struct Kernels {
  void (*forward)(const ForwardArgs<T>&, std::int64_t chunk);
  void (*adjoint)(const AdjointArgs<T>&, std::int64_t chunk);
  // Targets first..last-1, all samples: one writer per edge, whatever the number of threads.
  void (*edge_gradient)(const EdgeGradientArgs<T>&, std::int32_t first, std::int32_t last);
};

// The fastest set of kernels this CPU can run, or the one named (v2, v3, v4, generic).
template <class T>
const Kernels<T>& kernels();
const char* instruction_set();
void use_instruction_set(const char* name);  // throws if unknown or not supported by the CPU

}  // namespace nervure
