// The Python face of the native core: NumPy-like arrays in, shapes and indices checked, GIL released.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>

#include "graph.hpp"
#include "plan.hpp"
#include "select.hpp"
#include "sweep.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using IntArray = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array1 = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Array3 = nb::ndarray<T, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> give(std::vector<T>&& values) {
  auto* owned = new std::vector<T>(std::move(values));
  nb::capsule owner(owned, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return nb::ndarray<nb::numpy, T, nb::ndim<1>>(owned->data(), {owned->size()}, owner);
}

nervure::Csr csr_of(const IntArray& indptr, const IntArray& neighbours) {
  nervure::check_csr(static_cast<std::int64_t>(indptr.shape(0)), indptr.data(),
                     static_cast<std::int64_t>(neighbours.shape(0)), neighbours.data());
  return {static_cast<std::int32_t>(indptr.shape(0) - 1), indptr.data(), neighbours.data()};
}

void require(bool holds, const char* what) {
  if (!holds) throw std::invalid_argument(what);
}

auto strong_components(IntArray indptr, IntArray sources) {
  nervure::Components c;
  {
    nb::gil_scoped_release release;
    c = nervure::strong_components(csr_of(indptr, sources));
  }
  return std::make_tuple(give(std::move(c.labels)), give(std::move(c.order)),
                         give(std::move(c.offsets)));
}

auto condensation_levels(IntArray indptr, IntArray sources, IntArray labels, IntArray order,
                         IntArray offsets) {
  std::vector<std::int32_t> levels;
  {
    nb::gil_scoped_release release;
    const nervure::Csr g = csr_of(indptr, sources);
    const auto n = static_cast<std::size_t>(g.nodes);
    require(labels.shape(0) == n && order.shape(0) == n && offsets.shape(0) >= 1,
            "labels and order hold one entry per node, offsets at least one");
    nervure::Components c{{labels.data(), labels.data() + n},
                          {order.data(), order.data() + n},
                          {offsets.data(), offsets.data() + offsets.shape(0)}};
    const auto count = static_cast<std::int32_t>(c.offsets.size() - 1);
    bool ok = c.offsets.front() == 0 && c.offsets.back() == g.nodes;
    for (std::int32_t k = 0; k < count; ++k) ok &= c.offsets[k] <= c.offsets[k + 1];
    for (std::size_t i = 0; i < n; ++i)
      ok = ok && c.labels[i] >= 0 && c.labels[i] < count && c.order[i] >= 0 &&
           c.order[i] < g.nodes;
    require(ok, "labels, order and offsets do not describe components of this graph");
    levels = nervure::condensation_levels(g, c);
  }
  return give(std::move(levels));
}

auto transpose(IntArray indptr, IntArray sources) {
  nervure::Transposed t;
  {
    nb::gil_scoped_release release;
    t = nervure::transpose(csr_of(indptr, sources));
  }
  return std::make_tuple(give(std::move(t.indptr)), give(std::move(t.targets)),
                         give(std::move(t.edge)));
}

nb::ndarray<nb::numpy, bool, nb::ndim<1>> reachable(IntArray indptr, IntArray neighbours,
                                                    IntArray seeds) {
  std::vector<std::uint8_t> seen;
  {
    nb::gil_scoped_release release;
    seen = nervure::reachable(csr_of(indptr, neighbours), seeds.data(),
                              static_cast<std::int64_t>(seeds.shape(0)));
  }
  auto* owned = new std::vector<std::uint8_t>(std::move(seen));
  nb::capsule owner(owned,
                    [](void* p) noexcept { delete static_cast<std::vector<std::uint8_t>*>(p); });
  return nb::ndarray<nb::numpy, bool, nb::ndim<1>>(owned->data(), {owned->size()}, owner);
}

template <class T>
auto select_largest(Array2<const T> matrix, std::int64_t k) {
  nervure::Selection<T> s;
  {
    nb::gil_scoped_release release;
    require(matrix.shape(0) == matrix.shape(1) && matrix.shape(0) <= INT32_MAX,
            "the weight matrix must be square");
    s = nervure::select_largest<T>(matrix.data(), static_cast<std::int32_t>(matrix.shape(0)), k);
  }
  return std::make_tuple(give(std::move(s.indptr)), give(std::move(s.sources)),
                         static_cast<double>(s.threshold));
}

auto build_plan(IntArray indptr, IntArray sources, IntArray inputs, IntArray outputs,
                IntArray activation) {
  nervure::PackedPlan packed;
  {
    nb::gil_scoped_release release;
    const nervure::Csr g = csr_of(indptr, sources);
    require(activation.shape(0) == static_cast<std::size_t>(g.nodes),
            "activation holds one code per node");
    packed = nervure::build_plan(
        g, {inputs.data(), inputs.data() + inputs.shape(0)},
        {outputs.data(), outputs.data() + outputs.shape(0)}, activation.data());
    nervure::parse_plan(packed.data.get(), packed.size);
  }
  std::int32_t* data = packed.data.release();
  nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<std::int32_t*>(p); });
  return nb::ndarray<nb::numpy, std::int32_t, nb::ndim<1>>(
      data, {static_cast<std::size_t>(packed.size)}, owner);
}

// Shapes shared by the sweeps. Returns the number of chunks.
template <class T, class State>
std::int64_t check_state(const nervure::PlanView& p, std::int64_t batch, const State& state) {
  const std::int64_t lanes = nervure::kLanes<T>;
  const std::int64_t chunks = (batch + lanes - 1) / lanes;
  require(static_cast<std::int64_t>(state.shape(0)) == chunks &&
              static_cast<std::int64_t>(state.shape(1)) == p.nodes &&
              static_cast<std::int64_t>(state.shape(2)) == lanes,
          "states have shape (chunks, nodes, lanes)");
  return chunks;
}

template <class T>
void forward(IntArray plan, Array2<const T> drive, Array1<const T> weight,
             std::optional<Array1<const T>> bias, Array3<T> state, Array3<T> slope,
             Array2<T> output, Array1<std::uint8_t> converged, Array1<T> residual,
             Array1<std::int32_t> sweeps, Array1<std::int32_t> failed, double tolerance,
             std::int32_t max_sweeps, double leak, int threads) {
  nb::gil_scoped_release release;
  const nervure::PlanView p =
      nervure::parse_plan(plan.data(), static_cast<std::int64_t>(plan.shape(0)));
  const auto batch = static_cast<std::int64_t>(drive.shape(0));
  const auto b = static_cast<std::size_t>(batch);
  require(static_cast<std::int64_t>(drive.shape(1)) == p.num_inputs,
          "drive has one column per input node");
  require(static_cast<std::int64_t>(weight.shape(0)) == p.edges, "weight has one entry per edge");
  require(!bias || static_cast<std::int64_t>(bias->shape(0)) == p.nodes,
          "bias has one entry per node");
  require(output.shape(0) == b && static_cast<std::int64_t>(output.shape(1)) == p.num_outputs,
          "output has one row per sample and one column per output node");
  require(converged.shape(0) == b && residual.shape(0) == b && sweeps.shape(0) == b &&
              failed.shape(0) == b,
          "status arrays have one entry per sample");
  const std::int64_t chunks = check_state<T>(p, batch, state);
  if (p.has_slopes) check_state<T>(p, batch, slope);
  nervure::run_forward<T>(
      {p, batch, drive.data(), weight.data(), bias ? bias->data() : nullptr, state.data(),
       p.has_slopes ? slope.data() : nullptr, output.data(), static_cast<T>(tolerance), max_sweeps,
       static_cast<T>(leak), converged.data(), residual.data(), sweeps.data(), failed.data()},
      chunks, threads);
}

template <class T>
void adjoint(IntArray plan, Array2<const T> grad_output, Array1<const T> weight,
             Array3<const T> state, Array3<const T> slope, Array1<const std::uint8_t> converged,
             Array3<T> delta, Array2<T> grad_drive, Array1<T> residual,
             Array1<std::int32_t> sweeps, Array1<std::int32_t> failed, double tolerance,
             std::int32_t max_sweeps, double leak, int threads) {
  nb::gil_scoped_release release;
  const nervure::PlanView p =
      nervure::parse_plan(plan.data(), static_cast<std::int64_t>(plan.shape(0)));
  const auto batch = static_cast<std::int64_t>(grad_output.shape(0));
  const auto b = static_cast<std::size_t>(batch);
  require(static_cast<std::int64_t>(grad_output.shape(1)) == p.num_outputs,
          "grad_output has one column per output node");
  require(static_cast<std::int64_t>(weight.shape(0)) == p.edges, "weight has one entry per edge");
  require(grad_drive.shape(0) == b && static_cast<std::int64_t>(grad_drive.shape(1)) == p.num_inputs,
          "grad_drive has one row per sample and one column per input node");
  require(converged.shape(0) == b && residual.shape(0) == b && sweeps.shape(0) == b &&
              failed.shape(0) == b,
          "status arrays have one entry per sample");
  const std::int64_t chunks = check_state<T>(p, batch, state);
  check_state<T>(p, batch, delta);
  if (p.has_slopes) check_state<T>(p, batch, slope);
  nervure::run_adjoint<T>(
      {p, batch, grad_output.data(), nullptr, state.data(), p.has_slopes ? slope.data() : nullptr,
       converged.data(), delta.data(), grad_drive.data(), static_cast<T>(tolerance), max_sweeps,
       static_cast<T>(leak), residual.data(), sweeps.data(), failed.data()},
      weight.data(), chunks, threads);
}

template <class T>
void edge_gradient(IntArray plan, Array3<const T> state, Array3<const T> delta,
                   std::optional<Array1<T>> grad_weight, Array1<T> grad_bias, int threads) {
  nb::gil_scoped_release release;
  const nervure::PlanView p =
      nervure::parse_plan(plan.data(), static_cast<std::int64_t>(plan.shape(0)));
  const auto chunks = static_cast<std::int64_t>(state.shape(0));
  check_state<T>(p, chunks * nervure::kLanes<T>, state);
  check_state<T>(p, chunks * nervure::kLanes<T>, delta);
  require(!grad_weight || static_cast<std::int64_t>(grad_weight->shape(0)) == p.edges,
          "grad_weight has one entry per edge");
  require(static_cast<std::int64_t>(grad_bias.shape(0)) == p.nodes,
          "grad_bias has one entry per node");
  nervure::run_edge_gradient<T>({p, chunks, state.data(), delta.data(),
                                 grad_weight ? grad_weight->data() : nullptr, grad_bias.data()},
                                threads);
}

// weight[k] = matrix[target of k][source of k]
template <class T>
void gather_edges(IntArray plan, Array2<const T> matrix, Array1<T> weight) {
  nb::gil_scoped_release release;
  const nervure::PlanView p =
      nervure::parse_plan(plan.data(), static_cast<std::int64_t>(plan.shape(0)));
  require(static_cast<std::int64_t>(matrix.shape(0)) == p.nodes && matrix.shape(1) == matrix.shape(0),
          "the weight matrix has one row and one column per node");
  require(static_cast<std::int64_t>(weight.shape(0)) == p.edges, "weight has one entry per edge");
  for (std::int32_t i = 0; i < p.nodes; ++i) {
    const T* row = matrix.data() + static_cast<std::int64_t>(i) * p.nodes;
    for (std::int32_t k = p.indptr[i]; k < p.indptr[i + 1]; ++k)
      weight.data()[k] = row[p.sources[k]];
  }
}

template <class T>
void define_numeric(nb::module_& m) {
  // noconvert: a wrong dtype is an error, never a silent copy whose results would be lost.
  m.def("select_largest", &select_largest<T>, "matrix"_a.noconvert(), "k"_a);
  m.def("gather_edges", &gather_edges<T>, "plan"_a.noconvert(), "matrix"_a.noconvert(),
        "weight"_a.noconvert());
  m.def("forward", &forward<T>, "plan"_a.noconvert(), "drive"_a.noconvert(),
        "weight"_a.noconvert(), "bias"_a.noconvert().none(), "state"_a.noconvert(),
        "slope"_a.noconvert(), "output"_a.noconvert(), "converged"_a.noconvert(),
        "residual"_a.noconvert(), "sweeps"_a.noconvert(), "failed"_a.noconvert(), "tolerance"_a,
        "max_sweeps"_a, "leak"_a, "threads"_a);
  m.def("adjoint", &adjoint<T>, "plan"_a.noconvert(), "grad_output"_a.noconvert(),
        "weight"_a.noconvert(), "state"_a.noconvert(), "slope"_a.noconvert(),
        "converged"_a.noconvert(), "delta"_a.noconvert(), "grad_drive"_a.noconvert(),
        "residual"_a.noconvert(), "sweeps"_a.noconvert(), "failed"_a.noconvert(), "tolerance"_a,
        "max_sweeps"_a, "leak"_a, "threads"_a);
  m.def("edge_gradient", &edge_gradient<T>, "plan"_a.noconvert(), "state"_a.noconvert(),
        "delta"_a.noconvert(), "grad_weight"_a.noconvert().none(), "grad_bias"_a.noconvert(),
        "threads"_a);
}

}  // namespace

NB_MODULE(_core, m) {
  m.doc() = "Native core of nervure: graph analysis and sweeps.";
  m.def("strong_components", &strong_components, "indptr"_a.noconvert(), "sources"_a.noconvert());
  m.def("condensation_levels", &condensation_levels, "indptr"_a.noconvert(),
        "sources"_a.noconvert(), "labels"_a.noconvert(), "order"_a.noconvert(),
        "offsets"_a.noconvert());
  m.def("transpose", &transpose, "indptr"_a.noconvert(), "sources"_a.noconvert());
  m.def("reachable", &reachable, "indptr"_a.noconvert(), "neighbours"_a.noconvert(),
        "seeds"_a.noconvert());
  m.def("build_plan", &build_plan, "indptr"_a.noconvert(), "sources"_a.noconvert(),
        "inputs"_a.noconvert(), "outputs"_a.noconvert(), "activation"_a.noconvert());
  define_numeric<float>(m);
  define_numeric<double>(m);
  m.def("instruction_set", &nervure::instruction_set);
  m.def("use_instruction_set", &nervure::use_instruction_set, "name"_a);
}
