// Groups of weakly connected parts, which threads may walk at the same time.
#pragma once
#include <cstdint>
#include <vector>

#include "graph.hpp"

namespace nervure {

// The components of each group, predecessors first; no edge leads from one group to another. One
// group unless at least two parts have edges. They follow from the graph alone, not from the number
// of threads, because nodes that are computed together decide how their sums are rounded.
// parts: what weak_parts() gives.
std::vector<std::vector<std::int32_t>> make_groups(const Csr& incoming,
                                                   const Components& components,
                                                   const std::vector<std::int32_t>& parts);

}  // namespace nervure
