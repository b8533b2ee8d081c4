// Whole sweeps over a batch: dispatch to the CPU's instruction set and to threads.
#pragma once
#include "kernels.hpp"

namespace nervure {

template <class T>
void run_forward(const ForwardArgs<T>& args, int threads);

// args.weight is in edge order; what the walk needs is made of it here.
template <class T>
void run_adjoint(AdjointArgs<T> args, int threads);

template <class T>
void run_edge_gradient(const EdgeGradientArgs<T>& args, int threads);

// out[k] = matrix[target of k][source of k] and diagonal[i] = matrix[i][i]; block size 1.
template <class T>
void gather_edges(const Program& program, const T* matrix, T* out, T* diagonal);

}  // namespace nervure
