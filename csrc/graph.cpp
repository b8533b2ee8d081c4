#include "graph.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace nervure {

void check_csr(std::int64_t indptr_size, const std::int32_t* indptr, std::int64_t edges,
               const std::int32_t* neighbours) {
  if (indptr_size < 1) throw std::invalid_argument("indptr must hold at least one entry");
  if (indptr_size - 1 > INT32_MAX || edges > INT32_MAX)
    throw std::invalid_argument("nodes and edges are counted in int32");
  const auto nodes = static_cast<std::int32_t>(indptr_size - 1);
  if (indptr[0] != 0 || indptr[nodes] != edges)
    throw std::invalid_argument("indptr must rise from 0 to the number of edges");
  bool rising = true;
  for (std::int32_t i = 0; i < nodes; ++i) rising &= indptr[i] <= indptr[i + 1];
  if (!rising) throw std::invalid_argument("indptr must not fall");
  std::uint32_t largest = 0;  // negative indices wrap to huge ones, so one comparison suffices
  for (std::int64_t k = 0; k < edges; ++k)
    largest = std::max(largest, static_cast<std::uint32_t>(neighbours[k]));
  if (edges > 0 && largest >= static_cast<std::uint32_t>(nodes))
    throw std::invalid_argument("an edge names a node outside 0.." + std::to_string(nodes - 1));
}

// Tarjan (1972) without recursion, walking edges against their direction: a component is closed
// when everything it depends on is closed, so components come out predecessors first.
Components strong_components(const Csr& g) {
  const std::int32_t n = g.nodes;
  constexpr std::int32_t kClosed = INT32_MAX;
  Components out;
  out.labels.resize(n);
  // When the search found each node: 0 = not yet, kClosed = its component is complete, which makes
  // the minimum below ignore it without a test.
  std::vector<std::int32_t> found(n, 0);
  std::vector<std::int32_t> low(n), next(g.indptr, g.indptr + n), path, open, finished;
  finished.reserve(n);
  std::int32_t clock = 0, count = 0;
  for (std::int32_t root = 0; root < n; ++root) {
    if (found[root]) continue;
    found[root] = low[root] = ++clock;
    path.push_back(root);
    open.push_back(root);
    while (!path.empty()) {
      const std::int32_t v = path.back(), end = g.indptr[v + 1];
      std::int32_t k = next[v], reach = low[v], descend = -1;
      for (; k < end; ++k) {
        const std::int32_t u = g.neighbours[k], when = found[u];
        if (when == 0) {
          descend = u;
          ++k;
          break;
        }
        reach = std::min(reach, when);
      }
      next[v] = k;
      low[v] = reach;
      if (descend >= 0) {
        found[descend] = low[descend] = ++clock;
        path.push_back(descend);
        open.push_back(descend);
        continue;
      }
      path.pop_back();
      finished.push_back(v);
      if (!path.empty()) low[path.back()] = std::min(low[path.back()], reach);
      if (reach == found[v]) {
        std::int32_t u;
        do {
          u = open.back();
          open.pop_back();
          out.labels[u] = count;
          found[u] = kClosed;
        } while (u != v);
        ++count;
      }
    }
  }
  // Inside a component nodes stand in the order in which the search left them: a node follows the
  // predecessors it depends on wherever there is no cycle, which is what Gauss-Seidel likes best.
  out.offsets.assign(static_cast<std::size_t>(count) + 1, 0);
  for (std::int32_t v = 0; v < n; ++v) ++out.offsets[out.labels[v] + 1];
  for (std::int32_t c = 0; c < count; ++c) out.offsets[c + 1] += out.offsets[c];
  std::vector<std::int32_t> cursor(out.offsets.begin(), out.offsets.end() - 1);
  out.order.resize(n);
  for (const std::int32_t v : finished) out.order[cursor[out.labels[v]]++] = v;
  return out;
}

std::vector<std::int32_t> condensation_levels(const Csr& g, const Components& c) {
  const auto count = static_cast<std::int32_t>(c.offsets.size() - 1);
  std::vector<std::int32_t> of_component(count, 0), levels(g.nodes, 0);
  for (std::int32_t k = 0; k < count; ++k) {
    std::int32_t level = 0;
    for (std::int32_t o = c.offsets[k]; o < c.offsets[k + 1]; ++o) {
      const std::int32_t v = c.order[o];
      for (std::int32_t e = g.indptr[v]; e < g.indptr[v + 1]; ++e) {
        const std::int32_t other = c.labels[g.neighbours[e]];
        if (other != k) level = std::max(level, of_component[other] + 1);
      }
    }
    of_component[k] = level;
    for (std::int32_t o = c.offsets[k]; o < c.offsets[k + 1]; ++o) levels[c.order[o]] = level;
  }
  return levels;
}

Transposed transpose(const Csr& g) {
  Transposed t;
  t.indptr.resize(static_cast<std::size_t>(g.nodes) + 1);
  t.targets.resize(g.edges());
  t.edge.resize(g.edges());
  transpose_into(g, t.indptr.data(), t.targets.data(), t.edge.data());
  return t;
}

void transpose_into(const Csr& g, std::int32_t* indptr, std::int32_t* targets,
                    std::int32_t* edge) {
  const std::int32_t edges = g.edges();
  std::fill(indptr, indptr + g.nodes + 1, 0);
  for (std::int32_t k = 0; k < edges; ++k) ++indptr[g.neighbours[k] + 1];
  for (std::int32_t v = 0; v < g.nodes; ++v) indptr[v + 1] += indptr[v];
  std::vector<std::int32_t> cursor(indptr, indptr + g.nodes);
  for (std::int32_t v = 0; v < g.nodes; ++v)
    for (std::int32_t k = g.indptr[v]; k < g.indptr[v + 1]; ++k) {
      const std::int32_t at = cursor[g.neighbours[k]]++;
      targets[at] = v;
      edge[at] = k;
    }
}

std::vector<std::int32_t> weak_parts(const Csr& g) {
  // A node hangs on a lower one of its part, or is the root.
  std::vector<std::int32_t> above(g.nodes);
  std::int32_t parts = g.nodes;
  auto root = [&](std::int32_t v) {
    while (above[v] != v) v = above[v] = above[above[v]];
    return v;
  };
  auto join = [&](std::int32_t v, std::int32_t begin, std::int32_t end) {
    std::int32_t top = root(v);
    for (std::int32_t k = begin; k < end; ++k) {
      const std::int32_t source = g.neighbours[k];
      if (above[source] == top) continue;
      const std::int32_t other = root(source);
      parts -= other != top;
      above[std::max(top, other)] = std::min(top, other);
      top = std::min(top, other);
      above[source] = top;
    }
  };
  // The first edge of every node joins most of what is connected, so that few others are looked at
  // before one part is left. A lower source has its place already: no search.
  for (std::int32_t v = 0; v < g.nodes; ++v) {
    const std::int32_t k = g.indptr[v];
    const bool hangs = k < g.indptr[v + 1] && g.neighbours[k] < v;
    above[v] = hangs ? above[g.neighbours[k]] : v;
    parts -= hangs;
  }
  for (std::int32_t v = 0; v < g.nodes && parts > 1; ++v)
    if (above[v] == v) join(v, g.indptr[v], std::min(g.indptr[v] + 1, g.indptr[v + 1]));
  for (std::int32_t v = 0; v < g.nodes && parts > 1; ++v) join(v, g.indptr[v], g.indptr[v + 1]);
  if (parts <= 1) return {};
  for (std::int32_t v = 0; v < g.nodes; ++v) above[v] = above[above[v]];
  return above;
}

std::vector<std::uint8_t> reachable(const Csr& g, const std::int32_t* seeds,
                                    std::int64_t num_seeds) {
  std::vector<std::uint8_t> seen(g.nodes, 0);
  std::vector<std::int32_t> queue;
  for (std::int64_t s = 0; s < num_seeds; ++s) {
    if (seeds[s] < 0 || seeds[s] >= g.nodes)
      throw std::invalid_argument("a seed is not a node");
    if (!seen[seeds[s]]) {
      seen[seeds[s]] = 1;
      queue.push_back(seeds[s]);
    }
  }
  while (!queue.empty()) {
    const std::int32_t v = queue.back();
    queue.pop_back();
    for (std::int32_t k = g.indptr[v]; k < g.indptr[v + 1]; ++k)
      if (!seen[g.neighbours[k]]) {
        seen[g.neighbours[k]] = 1;
        queue.push_back(g.neighbours[k]);
      }
  }
  return seen;
}

}  // namespace nervure
