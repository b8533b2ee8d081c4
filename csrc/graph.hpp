// Graph analysis on compressed adjacency: plain arrays in, plain arrays out, linear time.
#pragma once
#include <cstdint>
#include <vector>

namespace nervure {

// Incoming edges of node i: sources[indptr[i] .. indptr[i + 1]).
struct Csr {
  std::int32_t nodes;
  const std::int32_t* indptr;
  const std::int32_t* neighbours;
  std::int32_t edges() const { return indptr[nodes]; }
};

struct Components {
  std::vector<std::int32_t> labels;   // node -> component, numbered predecessors first
  std::vector<std::int32_t> order;    // nodes, component by component
  std::vector<std::int32_t> offsets;  // component -> position in order; one more than components
};

struct Transposed {
  std::vector<std::int32_t> indptr, targets, edge;  // by source; edge = index in the CSR by target
};

// Throws std::invalid_argument unless indptr rises from 0 and every neighbour is a node.
void check_csr(std::int64_t indptr_size, const std::int32_t* indptr, std::int64_t edges,
               const std::int32_t* neighbours);

Components strong_components(const Csr& incoming);
std::vector<std::int32_t> condensation_levels(const Csr& incoming, const Components& components);
Transposed transpose(const Csr& incoming);
// The same into memory of the right sizes: nodes + 1, edges, edges.
void transpose_into(const Csr& incoming, std::int32_t* indptr, std::int32_t* targets,
                    std::int32_t* edge);
// The lowest node of the weakly connected part that each node belongs to; none if all are one part.
std::vector<std::int32_t> weak_parts(const Csr& incoming);
std::vector<std::uint8_t> reachable(const Csr& adjacency, const std::int32_t* seeds,
                                    std::int64_t num_seeds);

}  // namespace nervure
