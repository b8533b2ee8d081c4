#include "sweep.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

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

// Work below this many multiply-adds is done by the caller: waking threads would cost more.
constexpr std::int64_t kWorthThreads = 200000;

template <class T>
int useful_threads(const PlanView& p, std::int64_t chunks, int threads) {
  const std::int64_t work = (static_cast<std::int64_t>(p.edges) + p.nodes) * chunks * kLanes<T>;
  return work < kWorthThreads ? 1 : std::max(1, threads);
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

template <class T>
void run_forward(ForwardArgs<T> args, std::int64_t chunks, int threads) {
  const Kernels<T>& kernel = kernels<T>();
  parallel_for(chunks, useful_threads<T>(args.plan, chunks, threads),
               [&](std::int64_t chunk) { kernel.forward(args, chunk); });
}

template <class T>
void run_adjoint(AdjointArgs<T> args, const T* weight, std::int64_t chunks, int threads) {
  const PlanView& p = args.plan;
  const Kernels<T>& kernel = kernels<T>();
  // Weights in the order in which the adjoint walks them; kept by the thread from call to call.
  thread_local std::vector<T> outgoing;
  outgoing.resize(p.edges);
  for (std::int32_t k = 0; k < p.edges; ++k) outgoing[k] = weight[p.out_edge[k]];
  args.weight = outgoing.data();
  parallel_for(chunks, useful_threads<T>(p, chunks, threads),
               [&](std::int64_t chunk) { kernel.adjoint(args, chunk); });
}

template <class T>
void run_edge_gradient(const EdgeGradientArgs<T>& args, int threads) {
  const PlanView& p = args.plan;
  const Kernels<T>& kernel = kernels<T>();
  threads = useful_threads<T>(p, args.chunks, threads);
  if (args.grad_weight) std::fill(args.grad_weight, args.grad_weight + p.edges, T(0));
  std::fill(args.grad_bias, args.grad_bias + p.nodes, T(0));
  // Ranges of targets with about equal numbers of edges; each edge has one writer.
  const std::int64_t ranges = threads == 1 ? 1 : 8 * threads;
  auto bound = [&](std::int64_t r) -> std::int32_t {
    if (r == 0) return 0;
    if (r == ranges) return p.nodes;
    const auto edge = static_cast<std::int32_t>(static_cast<std::int64_t>(p.edges) * r / ranges);
    return static_cast<std::int32_t>(std::lower_bound(p.indptr, p.indptr + p.nodes, edge) -
                                     p.indptr);
  };
  parallel_for(ranges, threads,
               [&](std::int64_t r) { kernel.edge_gradient(args, bound(r), bound(r + 1)); });
}

template void run_forward<float>(ForwardArgs<float>, std::int64_t, int);
template void run_forward<double>(ForwardArgs<double>, std::int64_t, int);
template void run_adjoint<float>(AdjointArgs<float>, const float*, std::int64_t, int);
template void run_adjoint<double>(AdjointArgs<double>, const double*, std::int64_t, int);
template void run_edge_gradient<float>(const EdgeGradientArgs<float>&, int);
template void run_edge_gradient<double>(const EdgeGradientArgs<double>&, int);

}  // namespace nervure
