#include "groups.hpp"

#include <algorithm>
#include <numeric>

namespace nervure {
namespace {

// Enough for threads to share evenly; more would only cost more to hand out.
constexpr std::int64_t kMostGroups = 16;

struct Bin {
  std::int64_t load = 0;
  std::vector<std::int32_t> components;
};

}  // namespace

std::vector<std::vector<std::int32_t>> make_groups(const Csr& g, const Components& c,
                                                   const std::vector<std::int32_t>& part) {
  const auto count = static_cast<std::int32_t>(c.offsets.size()) - 1;
  std::vector<std::vector<std::int32_t>> found;
  if (count == 0) return found;
  std::vector<std::int64_t> load(part.size(), 0);  // of each part, at its lowest node
  for (std::size_t v = 0; v < part.size(); ++v) load[part[v]] += g.indptr[v + 1] - g.indptr[v];
  if (std::count_if(load.begin(), load.end(), [](std::int64_t edges) { return edges > 0; }) < 2) {
    found.emplace_back(count);
    std::iota(found[0].begin(), found[0].end(), 0);
    return found;
  }
  for (const std::int32_t v : part) ++load[v];
  // Parts with numbers next to each other go together: their values and weights are near by.
  std::vector<Bin> bins(kMostGroups);
  std::vector<std::int32_t> bin_of(g.nodes);  // of each part
  std::int64_t before = 0;
  const std::int64_t total = g.edges() + static_cast<std::int64_t>(g.nodes);
  for (std::int32_t v = 0; v < g.nodes; ++v) {
    if (part[v] != v) continue;
    bin_of[v] = static_cast<std::int32_t>(before * kMostGroups / total);
    bins[bin_of[v]].load += load[v];
    before += load[v];
  }
  for (std::int32_t k = 0; k < count; ++k)
    bins[bin_of[part[c.order[c.offsets[k]]]]].components.push_back(k);
  // Heaviest first: a heavy one that is begun last keeps the other threads waiting.
  std::stable_sort(bins.begin(), bins.end(),
                   [](const Bin& a, const Bin& b) { return a.load > b.load; });
  for (Bin& bin : bins)
    if (bin.load > 0) found.push_back(std::move(bin.components));
  return found;
}

}  // namespace nervure
