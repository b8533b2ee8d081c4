// Whole sweeps over a batch: dispatch to the CPU's instruction set and to threads.
#pragma once
#include "kernels.hpp"

namespace nervure {

template <class T>
void run_forward(ForwardArgs<T> args, std::int64_t chunks, int threads);

// args.weight is set here from `weight`, which is in edge order.
template <class T>
void run_adjoint(AdjointArgs<T> args, const T* weight, std::int64_t chunks, int threads);

template <class T>
void run_edge_gradient(const EdgeGradientArgs<T>& args, int threads);

}  // namespace nervure
