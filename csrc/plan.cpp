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

PackedPlan build_plan(const Csr& g, const std::vector<std::int32_t>& inputs,
                      const std::vector<std::int32_t>& outputs, const std::int32_t* activation) {
  const std::int64_t n = g.nodes, edges = g.edges();
  const auto num_inputs = static_cast<std::int64_t>(inputs.size());
  const auto num_outputs = static_cast<std::int64_t>(outputs.size());
  // Room for as many components as nodes; written in place, because filling and copying would
  // cost as much as the analysis.
  PackedPlan packed;
  packed.data.reset(new std::int32_t[kHeader + 7 * n + 3 * edges + 3 + num_inputs + num_outputs]);
  std::int32_t* at = packed.data.get() + kHeader;
  auto append = [&at](const std::int32_t* values, std::int64_t count) {
    at = std::copy(values, values + count, at);
  };
  append(g.indptr, n + 1);
  append(g.neighbours, edges);
  std::int32_t* out_indptr = at;
  at += n + 1 + 2 * edges;
  Components c;
  parallel_for(2, edges < kWorthTwoThreads ? 1 : 2, [&](std::int64_t task) {
    if (task == 0) {
      c = strong_components(g);
    } else {
      transpose_into(g, out_indptr, out_indptr + n + 1, out_indptr + n + 1 + edges);
    }
  });
  const auto count = static_cast<std::int64_t>(c.offsets.size()) - 1;
  append(c.order.data(), n);
  append(c.offsets.data(), count + 1);
  append(activation, n);
  append(inputs.data(), num_inputs);
  append(outputs.data(), num_outputs);
  for (const auto* role : {&inputs, &outputs}) {
    std::fill(at, at + n, -1);
    for (std::size_t column = 0; column < role->size(); ++column) {
      const std::int32_t node = (*role)[column];
      if (node < 0 || node >= n) throw std::invalid_argument("an input or output is not a node");
      at[node] = static_cast<std::int32_t>(column);
    }
    at += n;
  }
  packed.size = at - packed.data.get();
  bool slopes = false;
  for (std::int64_t i = 0; i < n; ++i) slopes |= needs_slope(activation[i]);
  std::int32_t* header = packed.data.get();
  std::fill(header, header + kHeader, 0);
  header[0] = kMagic;
  header[1] = static_cast<std::int32_t>(n);
  header[2] = static_cast<std::int32_t>(edges);
  header[3] = static_cast<std::int32_t>(num_inputs);
  header[4] = static_cast<std::int32_t>(num_outputs);
  header[5] = static_cast<std::int32_t>(count);
  header[6] = count < n;
  header[7] = slopes;
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
