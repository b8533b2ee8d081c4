// A program: everything the sweeps need to know of a wiring, worked out once and checked once.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "graph.hpp"

namespace nervure {

enum Activation : std::int32_t {
  kIdentity, kRelu, kSquaredRelu, kLeakyRelu, kTanh, kSigmoid, kGelu, kSilu, kActivationCount
};

// f'(z) of these cannot be had from f(z), so the forward sweep keeps it.
inline bool needs_slope(std::int32_t activation) {
  return activation == kGelu || activation == kSilu;
}

// Consecutive nodes of a walk whose neighbour lists begin alike: their common neighbours are loaded
// once for all of them. No member is a common neighbour, because a node is not its own. Or two nodes
// with nothing in common, of which the second does not wait for the first (shared = 0): what one
// waits for hides behind the other.
struct Panel {
  std::int32_t first, rows, shared;  // position in the walk; members; length of the common beginning
  // The adjoint's edges of this panel lead to pure inputs only: in a forward walk all neighbours are
  // such, in a backward walk all members.
  bool only_inputs = false;
};

// Panels that are solved together: a stretch without cycles, or one component with.
struct Segment {
  std::int32_t first, last;  // panels
  std::int32_t component;    // number of the cyclic component, or -1
};

// Segments that no edge joins to those of another group, so that threads may walk them at once.
struct Group {
  std::int32_t first, last;  // segments
};

// One direction of travel. Single nodes without cycles need none for the adjoint: it pushes along the
// incoming lists, which is faster than gathering along outgoing ones, and spares their memory. Blocks
// gather: what a source row takes to be read and written again for every target weighs more than
// outgoing lists and weights in their order, of which there are less.
struct Walk {
  const std::int32_t *order = nullptr, *indptr = nullptr, *neighbours = nullptr;
  std::vector<Panel> panels;
  std::vector<Segment> segments;
  std::vector<Group> groups;  // the same, in the same order, in both directions
};

// The wiring as it comes: arrays owned by the caller, which must outlive the program.
struct Wiring {
  Csr incoming;  // of blocks of `block` nodes each; with block = 1, of nodes
  std::int32_t block = 1;
  std::vector<std::int32_t> inputs, outputs;  // nodes
  std::vector<std::int32_t> activation;       // code of every node
  // Whether pure inputs, nodes with a drive and no incoming edge, have biases that are trained. If
  // not, and nobody asks for the gradient of the drive, the adjoint stops before them.
  bool input_bias = true;
};

class Program {
 public:
  // Throws std::invalid_argument for indices out of range. Takes O(nodes + edges).
  explicit Program(Wiring wiring);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  std::int32_t nodes, blocks, block, edges, num_inputs, num_outputs;
  std::int32_t num_components, num_groups;
  bool has_cycles, has_slopes, input_bias;
  bool gathers;  // whether the adjoint gathers along the backward walk, or pushes along the forward one
  std::int32_t reach;  // most nodes between the first and the last source of a node, and they
  std::vector<std::int32_t> activation, inputs, outputs;
  std::vector<std::int32_t> input_row, output_row;  // column of each node, or -1
  std::vector<std::int32_t> component_size;         // in nodes
  std::vector<std::uint8_t> pure_input;             // of every node
  std::int32_t leading_inputs = 0;                  // blocks before the first with another node
  Walk forward, backward;                           // backward is empty unless it gathers
  std::vector<std::int32_t> out_edge;               // edge of each place in backward.neighbours
  std::vector<std::int64_t> work;                   // edges before each forward panel; and in all

  std::int64_t weights() const { return static_cast<std::int64_t>(edges) * block * block; }
  std::int64_t shared_edges() const;  // edges in panels of at least two rows
  std::int64_t bytes() const;         // of everything derived

 private:
  void make_outgoing(const Csr& incoming);

  std::vector<std::int32_t> order_, reversed_, out_indptr_, out_targets_;
};

}  // namespace nervure
