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

template <class T>
void clear(const Report<T>& report, std::int64_t count) {
  if (!report.residual) return;
  std::fill_n(report.residual, count, T(0));
  std::fill_n(report.sweeps, count, 0);
  std::fill_n(report.failed, count, -1);
  std::fill_n(report.recovered, count, 0);
}

// What a sweep starts from, columns of (batch, columns) that it needs in lanes, and what it leaves:
// rows of (chunks, nodes, lanes) that go into another such matrix, or null.
template <class T>
struct Ends {
  const T* from;
  std::int32_t from_columns;
  const T* values;
  const std::int32_t* rows;
  T* to;
  std::int32_t to_columns;
};

// Where the columns of a piece begin: whole registers, as long as there are any.
std::int32_t share_of(std::int32_t columns, std::int64_t piece, std::int64_t pieces) {
  constexpr std::int64_t unit = 16;
  const std::int64_t units = (columns + unit - 1) / unit;
  return static_cast<std::int32_t>(std::min<std::int64_t>(columns, units * piece / pieces * unit));
}

// A report for each group, and how they become one.
template <class T>
class GroupReports {
 public:
  GroupReports(const Report<T>& whole, std::int64_t groups, std::int64_t batch)
      : whole_(whole), groups_(whole.residual ? groups : 0), batch_(batch),
        residual_(groups_ * batch), sweeps_(groups_ * batch), failed_(groups_ * batch),
        recovered_(groups_ * batch) {
    if (groups_ > 0) clear<T>(of(0), groups_ * batch);
  }
  Report<T> of(std::int64_t group) const {
    if (groups_ == 0) return {};
    const std::int64_t at = group * batch_;
    return {residual_.get() + at, sweeps_.get() + at, failed_.get() + at, recovered_.get() + at};
  }
  void unite() const {
    for (std::int64_t g = 0; g < groups_; ++g) {
      const Report<T> one = of(g);
      for (std::int64_t b = 0; b < batch_; ++b) {
        whole_.residual[b] = std::max(whole_.residual[b], one.residual[b]);
        whole_.sweeps[b] = std::max(whole_.sweeps[b], one.sweeps[b]);
        // As unsigned numbers, -1 is the highest.
        whole_.failed[b] = std::min<std::uint32_t>(whole_.failed[b], one.failed[b]);
        whole_.recovered[b] |= one.recovered[b];
      }
    }
  }

 private:
  const Report<T>& whole_;
  std::int64_t groups_, batch_;
  Buffer<T> residual_;
  Buffer<std::int32_t> sweeps_, failed_;
  Buffer<std::uint8_t> recovered_;
};

// The groups of every chunk at once: columns to lanes, then the groups, then lanes to columns.
template <class T, class Args>
void over_groups(const Args& args, const Ends<T>& ends, std::int64_t chunks, int threads,
                 void (*kernel)(const Args&, std::int64_t, std::int32_t, const T*)) {
  const Program& p = *args.program;
  const Kernels<T>& kernel_set = kernels<T>();
  const std::int64_t groups = p.num_groups, batch = args.batch;
  const std::int64_t stride = static_cast<std::int64_t>(ends.from_columns) * kLanes<T>;
  const Buffer<T> lanes(chunks * stride);
  const GroupReports<T> reports(args.report, groups, batch);
  parallel_stages(ends.to ? 3 : 2, chunks * groups, threads, [&](int stage, std::int64_t task) {
    const std::int64_t chunk = task % chunks, group = task / chunks, begin = chunk * kLanes<T>;
    T* chunk_lanes = lanes.get() + chunk * stride;
    if (stage == 1) {
      Args own = args;
      own.report = reports.of(group);
      kernel(own, chunk, static_cast<std::int32_t>(group), chunk_lanes);
      return;
    }
    const int samples = static_cast<int>(std::min<std::int64_t>(kLanes<T>, batch - begin));
    const std::int32_t columns = stage == 0 ? ends.from_columns : ends.to_columns;
    const std::int32_t first = share_of(columns, group, groups);
    const std::int32_t count = share_of(columns, group + 1, groups) - first;
    const std::int64_t at = begin * columns + first;
    if (stage == 0) {
      kernel_set.to_lanes(ends.from + at, columns, count, samples, chunk_lanes + first * kLanes<T>);
    } else {
      kernel_set.from_lanes(ends.values + begin * p.nodes, ends.rows + first, count, samples,
                            ends.to + at, columns);
    }
  });
  reports.unite();
}

// A thread takes a chunk; where that leaves some without, a group of a chunk.
template <class T, class Args>
void sweep(const Args& args, const Ends<T>& ends, int threads,
           void (*chunk_kernel)(const Args&, std::int64_t),
           void (*group_kernel)(const Args&, std::int64_t, std::int32_t, const T*)) {
  const Program& p = *args.program;
  const std::int64_t chunks = chunks_of<T>(args.batch);
  threads = useful_threads<T>(p, chunks, threads);
  clear<T>(args.report, args.batch);
  if (chunks > 0 && chunks < threads && p.num_groups > 1) {
    over_groups<T>(args, ends, chunks, threads, group_kernel);
  } else {
    parallel_for(chunks, threads, [&](std::int64_t chunk) { chunk_kernel(args, chunk); });
  }
}

// Transposed blocks S x S in another order; S = 0: of any size.
template <int S, class T>
void transpose_blocks(const T* from, const std::int32_t* place, std::int64_t count, int block,
                      T* to) {
  const int m = S ? S : block;
  const std::int64_t size = static_cast<std::int64_t>(m) * m;
  for (std::int64_t k = 0; k < count; ++k, to += size) {
    const T* one = from + place[k] * size;
    for (int r = 0; r < m; ++r)
      for (int c = 0; c < m; ++c) to[c * m + r] = one[r * m + c];
  }
}

// Weights in the order in which the adjoint gathers, blocks transposed; from edge `begin` on.
template <class T>
void outgoing_weights(const Program& p, const T* weight, std::int64_t begin, T* out, int threads) {
  const std::int64_t pieces = threads == 1 ? 1 : 4 * threads;
  const std::int64_t size = static_cast<std::int64_t>(p.block) * p.block;
  const auto copy = p.block == 1   ? transpose_blocks<1, T>
                    : p.block == 2 ? transpose_blocks<2, T>
                    : p.block == 4 ? transpose_blocks<4, T>
                    : p.block == 8 ? transpose_blocks<8, T>
                                   : transpose_blocks<0, T>;
  parallel_for(pieces, threads, [&](std::int64_t piece) {
    const std::int64_t edges = p.edges - begin;
    const std::int64_t first = begin + piece * edges / pieces;
    const std::int64_t last = begin + (piece + 1) * edges / pieces;
    copy(weight, p.out_edge.data() + first, last - first, p.block, out + first * size);
  });
}

}  // namespace

template <class T>
void run_forward(const ForwardArgs<T>& args, int threads) {
  const Program& p = *args.program;
  const Ends<T> ends{args.drive,       p.num_inputs, args.state,
                     p.outputs.data(), args.output,  p.num_outputs};
  sweep<T>(args, ends, threads, kernels<T>().forward, kernels<T>().forward_group);
}

template <class T>
void run_adjoint(AdjointArgs<T> args, int threads) {
  const Program& p = *args.program;
  const Ends<T> ends{args.grad_output, p.num_outputs,   args.delta,
                     p.inputs.data(),  args.grad_drive, p.num_inputs};
  const bool permuted = p.gathers && args.batch > 0;
  const Buffer<T> outgoing(permuted ? p.weights() : 0);
  if (permuted) {
    // The adjoint may stop before blocks of inputs; those that come first have the first edges.
    const bool stops = p.block > 1 && !p.input_bias && !args.grad_drive;
    const std::int32_t inputs = stops ? p.leading_inputs : 0;
    outgoing_weights<T>(p, args.weight, p.backward.indptr[inputs], outgoing.get(),
                        useful_threads<T>(p, chunks_of<T>(args.batch), threads));
    args.weight = outgoing.get();
  }
  sweep<T>(args, ends, threads, kernels<T>().adjoint, kernels<T>().adjoint_group);
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
