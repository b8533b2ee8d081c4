#include "plan.hpp"

#include <algorithm>
#include <stdexcept>

#include "thread_pool.hpp"

namespace nervure {
namespace {

constexpr std::int32_t kMagic = 0x6e767031;  // "nvp1": layout version 1
constexpr int kHeader = 16;
constexpr std::int32_t kWorthTwoThreads = 10000;  // edges; below, waking a thread costs more

bool all_below(const std::int32_t* values, std::int64_t count, std::int32_t bound) {
  std::uint32_t largest = 0;  // negative values wrap to huge ones
  for (std::int64_t i = 0; i < count; ++i)
    largest = std::max(largest, static_cast<std::uint32_t>(values[i]));
  return count == 0 || (bound > 0 && largest < static_cast<std::uint32_t>(bound));
}

bool rises(const std::int32_t* indptr, std::int64_t count, std::int32_t end) {
  bool ok = indptr[0] == 0 && indptr[count] == end;
  for (std::int64_t i = 0; i < count; ++i) ok &= indptr[i] <= indptr[i + 1];
  return ok;
}

}  // namespace

std::vector<std::int32_t> build_plan(const Csr& g, const std::vector<std::int32_t>& inputs,
                                     const std::vector<std::int32_t>& outputs,
                                     const std::int32_t* activation) {
  Components c;
  Transposed t;
  parallel_for(2, g.edges() < kWorthTwoThreads ? 1 : 2, [&](std::int64_t task) {
    if (task == 0) {
      c = strong_components(g);
    } else {
      t = transpose(g);
    }
  });
  const std::int32_t n = g.nodes, edges = g.edges();
  const auto count = static_cast<std::int32_t>(c.offsets.size() - 1);
  bool slopes = false;
  for (std::int32_t i = 0; i < n; ++i) slopes |= needs_slope(activation[i]);

  std::vector<std::int32_t> packed;
  packed.reserve(kHeader + 6 * (static_cast<std::size_t>(n) + 1) + 3 * static_cast<std::size_t>(edges) +
                 count + 1 + inputs.size() + outputs.size());
  packed.assign(kHeader, 0);
  packed[0] = kMagic;
  packed[1] = n;
  packed[2] = edges;
  packed[3] = static_cast<std::int32_t>(inputs.size());
  packed[4] = static_cast<std::int32_t>(outputs.size());
  packed[5] = count;
  packed[6] = count < n;
  packed[7] = slopes;
  auto append = [&packed](const std::int32_t* data, std::int64_t size) {
    packed.insert(packed.end(), data, data + size);
  };
  append(g.indptr, n + 1);
  append(g.neighbours, edges);
  append(t.indptr.data(), n + 1);
  append(t.targets.data(), edges);
  append(t.edge.data(), edges);
  append(c.order.data(), n);
  append(c.offsets.data(), count + 1);
  append(activation, n);
  append(inputs.data(), inputs.size());
  append(outputs.data(), outputs.size());
  for (const auto* role : {&inputs, &outputs}) {
    const std::size_t at = packed.size();
    packed.resize(at + n, -1);
    for (std::size_t column = 0; column < role->size(); ++column) {
      const std::int32_t node = (*role)[column];
      if (node < 0 || node >= n) throw std::invalid_argument("an input or output is not a node");
      packed[at + node] = static_cast<std::int32_t>(column);
    }
  }
  return packed;
}

PlanView parse_plan(const std::int32_t* data, std::int64_t size) {
  if (size < kHeader || data[0] != kMagic) throw std::invalid_argument("not an execution plan");
  PlanView p;
  p.nodes = data[1];
  p.edges = data[2];
  p.num_inputs = data[3];
  p.num_outputs = data[4];
  p.num_components = data[5];
  p.has_cycles = data[6];
  p.has_slopes = data[7];
  const std::int64_t n = p.nodes, e = p.edges, c = p.num_components;
  bool ok = n >= 0 && e >= 0 && p.num_inputs >= 0 && p.num_outputs >= 0 && c >= 0 && c <= n &&
            size == kHeader + 6 * n + 3 * e + c + 3 + p.num_inputs + p.num_outputs;
  if (!ok) throw std::invalid_argument("an execution plan of the wrong size");
  const std::int32_t* at = data + kHeader;
  auto take = [&at](std::int64_t count) {
    const std::int32_t* section = at;
    at += count;
    return section;
  };
  p.indptr = take(n + 1);
  p.sources = take(e);
  p.out_indptr = take(n + 1);
  p.out_targets = take(e);
  p.out_edge = take(e);
  p.order = take(n);
  p.comp_ptr = take(c + 1);
  p.activation = take(n);
  p.inputs = take(p.num_inputs);
  p.outputs = take(p.num_outputs);
  p.input_row = take(n);
  p.output_row = take(n);
  ok = rises(p.indptr, n, p.edges) && rises(p.out_indptr, n, p.edges) &&
       rises(p.comp_ptr, c, p.nodes) && all_below(p.sources, e, p.nodes) &&
       all_below(p.out_targets, e, p.nodes) && all_below(p.out_edge, e, p.edges) &&
       all_below(p.order, n, p.nodes) && all_below(p.activation, n, kActivationCount) &&
       all_below(p.inputs, p.num_inputs, p.nodes) && all_below(p.outputs, p.num_outputs, p.nodes);
  for (std::int64_t i = 0; i < n; ++i)
    ok = ok && p.input_row[i] >= -1 && p.input_row[i] < p.num_inputs && p.output_row[i] >= -1 &&
         p.output_row[i] < p.num_outputs;
  if (!ok) throw std::invalid_argument("an execution plan with indices out of range");
  return p;
}

}  // namespace nervure
