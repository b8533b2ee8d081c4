#include "sweep.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "memory.hpp"
#include "thread_pool.hpp"

namespace nervure {

#if defined(__x86_64__)
namespace v2 { template <class T> Kernels<T> table(); }
namespace v3 { template <class T> Kernels<T> table(); }
namespace v4 { template <class T> Kernels<T> table(); }
#else
namespace generic { template <class T> Kernels<T> table(); }
#endif

namespace {

struct Choice {
  const char* name;
  Kernels<float> single;
  Kernels<double> twice;
};

const std::vector<Choice>& available() {
  static const std::vector<Choice> sets = [] {
    std::vector<Choice> found;  // fastest first
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      found.push_back({"v4", v4::table<float>(), v4::table<double>()});
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
        __builtin_cpu_supports("bmi2"))
      found.push_back({"v3", v3::table<float>(), v3::table<double>()});
    found.push_back({"v2", v2::table<float>(), v2::table<double>()});
#else
    found.push_back({"generic", generic::table<float>(), generic::table<double>()});
#endif
    return found;
  }();
  return sets;
}

const Choice*& chosen() {
  static const Choice* choice = &available().front();
  return choice;
}

}  // namespace

template <>
const Kernels<float>& kernels<float>() { return chosen()->single; }
template <>
const Kernels<double>& kernels<double>() { return chosen()->twice; }

const char* instruction_set() { return chosen()->name; }

void use_instruction_set(const char* name) {
  for (const Choice& choice : available())
    if (std::string(choice.name) == name) {
      chosen() = &choice;
      return;
    }
  std::string names;
  for (const Choice& choice : available()) names += std::string(" ") + choice.name;
  throw std::invalid_argument("this CPU runs the instruction sets" + names + ", not " + name);
}

namespace {

// Work below this many multiply-adds is done by the caller: waking threads would cost more.
constexpr std::int64_t kWorthThreads = 200000;

template <class T>
int useful_threads(const Program& p, std::int64_t chunks, int threads) {
  const std::int64_t work = (p.weights() + p.nodes) * chunks * kLanes<T>;
  return work < kWorthThreads ? 1 : std::max(1, threads);
}

template <class T>
std::int64_t chunks_of(std::int64_t batch) {
  return (batch + kLanes<T> - 1) / kLanes<T>;
}

template <class T, class Body>
void over_chunks(const Program& p, std::int64_t batch, int threads, Body body) {
  const std::int64_t chunks = chunks_of<T>(batch);
  parallel_for(chunks, useful_threads<T>(p, chunks, threads), body);
}

// Weights in the order in which the adjoint gathers, blocks transposed.
template <class T>
void outgoing_weights(const Program& p, const T* weight, T* out, int threads) {
  const std::int64_t pieces = threads == 1 ? 1 : 4 * threads;
  const std::int64_t size = static_cast<std::int64_t>(p.block) * p.block;
  parallel_for(pieces, threads, [&](std::int64_t piece) {
    const std::int64_t first = piece * p.edges / pieces, last = (piece + 1) * p.edges / pieces;
    if (p.block == 1) {
      for (std::int64_t k = first; k < last; ++k) out[k] = weight[p.out_edge[k]];
      return;
    }
    for (std::int64_t k = first; k < last; ++k) {
      const T* from = weight + p.out_edge[k] * size;
      T* to = out + k * size;
      for (std::int32_t r = 0; r < p.block; ++r)
        for (std::int32_t c = 0; c < p.block; ++c) to[c * p.block + r] = from[r * p.block + c];
    }
  });
}

}  // namespace

template <class T>
void run_forward(const ForwardArgs<T>& args, int threads) {
  const auto kernel = kernels<T>().forward;
  over_chunks<T>(*args.program, args.batch, threads,
                 [&](std::int64_t chunk) { kernel(args, chunk); });
}

template <class T>
void run_adjoint(AdjointArgs<T> args, int threads) {
  const Program& p = *args.program;
  const auto kernel = kernels<T>().adjoint;
  const bool permuted = p.has_cycles && args.batch > 0;
  const std::size_t bytes = permuted ? sizeof(T) * static_cast<std::size_t>(p.weights()) : 0;
  T* outgoing = permuted ? static_cast<T*>(take_buffer(bytes)) : nullptr;
  if (permuted) {
    outgoing_weights<T>(p, args.weight, outgoing,
                        useful_threads<T>(p, chunks_of<T>(args.batch), threads));
    args.weight = outgoing;
  }
  over_chunks<T>(p, args.batch, threads,
                 [&](std::int64_t chunk) { kernel(args, chunk); });
  if (outgoing) give_buffer(outgoing, bytes);
}

template <class T>
void run_edge_gradient(const EdgeGradientArgs<T>& args, int threads) {
  const Program& p = *args.program;
  if (args.chunks == 0) {
    if (args.grad_weight) std::fill_n(args.grad_weight, p.weights(), T(0));
    if (args.grad_bias) std::fill_n(args.grad_bias, p.nodes, T(0));
    return;
  }
  const auto kernel = kernels<T>().edge_gradient;
  threads = useful_threads<T>(p, args.chunks, threads);
  // Ranges of panels with about equal numbers of edges; each edge has one writer.
  const std::int64_t ranges = threads == 1 ? 1 : 2 * threads;
  const auto panels = static_cast<std::int64_t>(p.forward.panels.size());
  auto bound = [&](std::int64_t r) -> std::int64_t {
    if (r == 0) return 0;
    if (r == ranges) return panels;
    return std::lower_bound(p.work.begin(), p.work.begin() + panels, p.work.back() * r / ranges) -
           p.work.begin();
  };
  parallel_for(ranges, threads, [&](std::int64_t r) { kernel(args, bound(r), bound(r + 1)); });
}

template <class T>
void gather_edges(const Program& p, const T* matrix, T* out, T* diagonal) {
  for (std::int32_t i = 0; i < p.nodes; ++i) {
    const T* row = matrix + static_cast<std::int64_t>(i) * p.nodes;
    for (std::int32_t k = p.forward.indptr[i]; k < p.forward.indptr[i + 1]; ++k)
      out[k] = row[p.forward.neighbours[k]];
    diagonal[i] = row[i];
  }
}

template void run_forward<float>(const ForwardArgs<float>&, int);
template void run_forward<double>(const ForwardArgs<double>&, int);
template void run_adjoint<float>(AdjointArgs<float>, int);
template void run_adjoint<double>(AdjointArgs<double>, int);
template void run_edge_gradient<float>(const EdgeGradientArgs<float>&, int);
template void run_edge_gradient<double>(const EdgeGradientArgs<double>&, int);
template void gather_edges<float>(const Program&, const float*, float*, float*);
template void gather_edges<double>(const Program&, const double*, double*, double*);

}  // namespace nervure
