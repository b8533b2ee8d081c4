// The execution plan of a topology, packed into one int32 array so that it travels as a tensor.
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

// Views into a packed plan; the array must outlive it.
struct PlanView {
  std::int32_t nodes, edges, num_inputs, num_outputs, num_components, has_cycles, has_slopes;
  const std::int32_t *indptr, *sources;                 // incoming edges, in edge order
  const std::int32_t *out_indptr, *out_targets, *out_edge;  // outgoing edges
  const std::int32_t *order, *comp_ptr;                 // nodes by component, predecessors first
  const std::int32_t* activation;
  const std::int32_t *inputs, *outputs;                 // node of each drive / output column
  const std::int32_t *input_row, *output_row;           // column of each node, or -1
};

struct PackedPlan {
  std::unique_ptr<std::int32_t[]> data;
  std::int64_t size = 0;
};

PackedPlan build_plan(const Csr& incoming, const std::vector<std::int32_t>& inputs,
                      const std::vector<std::int32_t>& outputs, const std::int32_t* activation);

// Checks every index, so that a damaged plan is an std::invalid_argument and never a stray access.
PlanView parse_plan(const std::int32_t* data, std::int64_t size);

}  // namespace nervure
