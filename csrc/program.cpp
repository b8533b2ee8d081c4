#include "program.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "groups.hpp"
#include "thread_pool.hpp"

namespace nervure {
namespace {

constexpr std::int32_t kWorthTwoThreads = 10000;  // edges; below, waking a thread costs more
constexpr std::int32_t kPanelRows = 8;
// Sharing fewer loads than this gains nothing over single rows.
constexpr std::int32_t kLeastShared = 8;

std::int32_t common_beginning(const Walk& walk, std::int32_t a, std::int32_t b,
                              std::int32_t at_most) {
  const std::int32_t *x = walk.neighbours + walk.indptr[a], *y = walk.neighbours + walk.indptr[b];
  const std::int32_t end =
      std::min({at_most, walk.indptr[a + 1] - walk.indptr[a], walk.indptr[b + 1] - walk.indptr[b]});
  return static_cast<std::int32_t>(std::mismatch(x, x + end, y).first - x);
}

// Whether b does not read a, in the forward walk, whose lists rise.
bool independent(const Walk& walk, std::int32_t a, std::int32_t b) {
  return !std::binary_search(walk.neighbours + walk.indptr[b], walk.neighbours + walk.indptr[b + 1],
                             a);
}

// Cuts the walk's positions [begin, end) into panels, greedily. Pairs are of use forward only: backward
// no long chain of operations follows a sum, which another sum could hide.
void cut_panels(Walk& walk, std::int32_t begin, std::int32_t end, bool join, bool pair) {
  const std::size_t start = walk.panels.size();
  std::int32_t at = begin;
  while (at < end) {
    const std::int32_t node = walk.order[at];
    Panel panel{at, 1, walk.indptr[node + 1] - walk.indptr[node], false};
    while (join && panel.rows < kPanelRows && at + panel.rows < end) {
      const std::int32_t shared =
          common_beginning(walk, node, walk.order[at + panel.rows], panel.shared);
      // A row that would cost the others much of their common part starts a panel of its own.
      if (shared < kLeastShared || shared < panel.shared - panel.shared / 4) break;
      panel.shared = shared;
      ++panel.rows;
    }
    at += panel.rows;
    if (pair && panel.rows == 1 && walk.panels.size() > start) {
      Panel& before = walk.panels.back();
      if (before.rows == 1 && independent(walk, walk.order[before.first], node)) {
        before.rows = 2;
        before.shared = 0;
        continue;
      }
    }
    walk.panels.push_back(panel);
  }
}

using ComponentLists = std::vector<std::vector<std::int32_t>>;

// Cuts the walk into segments: component c takes bounds[c + 1] - bounds[c] positions.
void cut_segments(Walk& walk, const ComponentLists& groups, const std::vector<std::int32_t>& bounds,
                  bool backwards, bool join) {
  walk.panels.reserve(bounds.back());
  auto add = [&](std::int32_t begin, std::int32_t end, std::int32_t component) {
    if (begin == end) return;
    const auto first = static_cast<std::int32_t>(walk.panels.size());
    cut_panels(walk, begin, end, join, join && !backwards);
    walk.segments.push_back({first, static_cast<std::int32_t>(walk.panels.size()), component});
  };
  std::int32_t at = 0;
  const std::size_t count = groups.size();
  for (std::size_t g = 0; g < count; ++g) {
    const std::vector<std::int32_t>& components = groups[backwards ? count - 1 - g : g];
    const auto first = static_cast<std::int32_t>(walk.segments.size());
    const std::int32_t *next = components.data(), *end = next + components.size();
    std::int32_t pending = at;  // where a stretch of single nodes began
    while (next < end) {
      const std::int32_t c = backwards ? *--end : *next++, begin = at;
      at += bounds[c + 1] - bounds[c];
      if (at - begin == 1) continue;
      add(pending, begin, -1);
      add(begin, at, c);
      pending = at;
    }
    add(pending, at, -1);
    walk.groups.push_back({first, static_cast<std::int32_t>(walk.segments.size())});
  }
  if (backwards) std::reverse(walk.groups.begin(), walk.groups.end());
}

// The nodes, group by group.
std::vector<std::int32_t> take_order(Components& c, const ComponentLists& groups) {
  if (groups.size() == 1) return std::move(c.order);
  std::vector<std::int32_t> order;
  order.reserve(c.order.size());
  for (const std::vector<std::int32_t>& components : groups)
    for (const std::int32_t k : components)
      order.insert(order.end(), c.order.begin() + c.offsets[k], c.order.begin() + c.offsets[k + 1]);
  return order;
}

// Edges per node from which on a sweep's order hardly matters to how fast it converges.
constexpr std::int64_t kDenseDegree = 4;

// Puts the nodes of a component with many cycles in the order of their numbers: its edges, weights
// and rows are then read one after the other. One with few keeps the order that follows its edges.
void sort_if_dense(const Csr& g, Components& c, std::int32_t component) {
  const std::int32_t begin = c.offsets[component], end = c.offsets[component + 1];
  std::int64_t inside = 0;
  for (std::int32_t i = begin; i < end && end - begin > 1; ++i)
    for (std::int32_t k = g.indptr[c.order[i]]; k < g.indptr[c.order[i] + 1]; ++k)
      inside += c.labels[g.neighbours[k]] == component;
  if (inside >= kDenseDegree * (end - begin))
    std::sort(c.order.begin() + begin, c.order.begin() + end);
}

// Whether every edge leads to a node of higher number: then there is no cycle.
bool rises(const Csr& g) {
  for (std::int32_t i = 0; i < g.nodes; ++i)
    if (g.indptr[i] < g.indptr[i + 1] && g.neighbours[g.indptr[i + 1] - 1] >= i) return false;
  return true;
}

std::vector<std::int32_t> columns(const std::vector<std::int32_t>& role, std::int32_t nodes) {
  std::vector<std::int32_t> row(nodes, -1);
  for (std::size_t column = 0; column < role.size(); ++column) {
    if (role[column] < 0 || role[column] >= nodes)
      throw std::invalid_argument("an input or output is not a node");
    if (row[role[column]] >= 0)
      throw std::invalid_argument("an input or output is given twice");
    row[role[column]] = static_cast<std::int32_t>(column);
  }
  return row;
}

}  // namespace

Program::Program(Wiring wiring)
    : blocks(wiring.incoming.nodes),
      block(wiring.block),
      edges(wiring.incoming.edges()),
      num_inputs(static_cast<std::int32_t>(wiring.inputs.size())),
      num_outputs(static_cast<std::int32_t>(wiring.outputs.size())),
      input_bias(wiring.input_bias),
      activation(std::move(wiring.activation)),
      inputs(std::move(wiring.inputs)),
      outputs(std::move(wiring.outputs)) {
  if (block < 1 || static_cast<std::int64_t>(blocks) * block > INT32_MAX)
    throw std::invalid_argument("blocks times block size is out of range");
  nodes = blocks * block;
  if (activation.size() != static_cast<std::size_t>(nodes))
    throw std::invalid_argument("activation holds one code per node");
  has_slopes = false;
  for (const std::int32_t code : activation) {
    if (code < 0 || code >= kActivationCount) throw std::invalid_argument("unknown activation code");
    has_slopes |= needs_slope(code);
  }
  input_row = columns(inputs, nodes);
  output_row = columns(outputs, nodes);

  const Csr& g = wiring.incoming;
  reach = 0;
  for (std::int32_t i = 0; i < blocks; ++i) {
    const std::int32_t *begin = g.neighbours + g.indptr[i], *end = g.neighbours + g.indptr[i + 1];
    if (begin == end) continue;
    reach = std::max(reach, (end[-1] - begin[0] + 1) * block);
    bool rising = true;
    for (const std::int32_t* next = begin + 1; next < end; ++next) rising &= next[-1] < next[0];
    if (!rising) throw std::invalid_argument("the sources of a node must rise");
    if (std::binary_search(begin, end, i))
      throw std::invalid_argument("an edge leads from a node to itself");
  }
  Components c;
  std::vector<std::int32_t> parts;
  // Components and outgoing lists at once: most graphs planned again and again need both.
  const bool guess = edges >= kWorthTwoThreads && (block > 1 || !rises(g));
  parallel_for(guess ? 2 : 1, 2, [&](std::int64_t task) {
    if (task == 0) {
      c = strong_components(g);
      parts = weak_parts(g);
    } else {
      make_outgoing(g);
    }
  });
  num_components = static_cast<std::int32_t>(c.offsets.size()) - 1;
  has_cycles = num_components < blocks;
  gathers = has_cycles || block > 1;
  if (gathers && !guess) make_outgoing(g);
  component_size.resize(num_components);
  for (std::int32_t k = 0; k < num_components; ++k)
    component_size[k] = (c.offsets[k + 1] - c.offsets[k]) * block;
  for (std::int32_t k = 0; k < num_components; ++k) sort_if_dense(g, c, k);
  const ComponentLists groups = make_groups(g, c, parts);
  num_groups = static_cast<std::int32_t>(groups.size());
  order_ = take_order(c, groups);
  forward.order = order_.data();
  forward.indptr = g.indptr;
  forward.neighbours = g.neighbours;
  cut_segments(forward, groups, c.offsets, false, block == 1);
  if (gathers) {
    reversed_.assign(order_.rbegin(), order_.rend());
    backward.order = reversed_.data();
    backward.indptr = out_indptr_.data();
    backward.neighbours = out_targets_.data();
    cut_segments(backward, groups, c.offsets, true, block == 1);
  }
  pure_input.resize(nodes);
  for (std::int32_t i = 0; i < nodes; ++i)
    pure_input[i] = input_row[i] >= 0 && g.indptr[i / block] == g.indptr[i / block + 1];
  leading_inputs = static_cast<std::int32_t>(
      (std::find(pure_input.begin(), pure_input.end(), 0) - pure_input.begin()) / block);
  if (block > 1)
    for (Panel& panel : backward.panels) {
      panel.only_inputs = true;
      const std::int32_t first = reversed_[panel.first] * block;
      for (std::int32_t m = 0; m < block; ++m) panel.only_inputs &= pure_input[first + m] != 0;
    }
  for (Panel& panel : forward.panels) {
    panel.only_inputs = true;
    for (std::int32_t r = 0; r < panel.rows && panel.only_inputs; ++r) {
      const std::int32_t node = order_[panel.first + r];
      for (std::int32_t k = g.indptr[node]; k < g.indptr[node + 1] && panel.only_inputs; ++k)
        for (std::int32_t m = 0; m < block; ++m)
          panel.only_inputs &= pure_input[g.neighbours[k] * block + m] != 0;
    }
  }
  work.reserve(forward.panels.size() + 1);
  work.push_back(0);
  for (const Panel& panel : forward.panels) {
    std::int64_t sum = work.back();
    for (std::int32_t r = 0; r < panel.rows; ++r) {
      const std::int32_t node = order_[panel.first + r];
      sum += g.indptr[node + 1] - g.indptr[node];
    }
    work.push_back(sum);
  }
}

void Program::make_outgoing(const Csr& g) {
  out_indptr_.resize(static_cast<std::size_t>(blocks) + 1);
  out_targets_.resize(edges);
  out_edge.resize(edges);
  transpose_into(g, out_indptr_.data(), out_targets_.data(), out_edge.data());
  // Latest targets first, so that nodes next to each other share the beginning of their lists.
  for (std::int32_t i = 0; i < blocks; ++i) {
    const std::int32_t begin = out_indptr_[i], end = out_indptr_[i + 1];
    std::reverse(out_targets_.begin() + begin, out_targets_.begin() + end);
    std::reverse(out_edge.begin() + begin, out_edge.begin() + end);
  }
}

std::int64_t Program::shared_edges() const {
  std::int64_t sum = 0;
  for (const Panel& panel : forward.panels)
    if (panel.rows > 1) sum += static_cast<std::int64_t>(panel.rows) * panel.shared;
  return sum;
}

std::int64_t Program::bytes() const {
  auto size = [](const auto& v) {
    return static_cast<std::int64_t>(v.capacity() * sizeof(v.front()));
  };
  return size(activation) + size(inputs) + size(outputs) + size(input_row) + size(output_row) +
         size(component_size) + size(pure_input) + size(out_edge) + size(work) + size(order_) + size(reversed_) +
         size(out_indptr_) + size(out_targets_) + size(forward.panels) + size(forward.segments) +
         size(forward.groups) + size(backward.panels) + size(backward.segments) +
         size(backward.groups);
}

}  // namespace nervure
