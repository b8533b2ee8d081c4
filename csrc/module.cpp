// The Python face of the native core: NumPy-like arrays in, shapes and indices checked, GIL released.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>

#include "graph.hpp"
#include "memory.hpp"
#include "program.hpp"
#include "select.hpp"
#include "sweep.hpp"
#include "thread_pool.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using IntArray = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

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

// Numbers of one float type, by their address. The Python side checks type, size and layout of what
// it gives (engine/native.py); going through array objects would cost a small network more than its
// whole sweep.
using Address = std::uintptr_t;
template <class T>
T* pointer(Address address) {
  return reinterpret_cast<T*>(address);
}

template <class T>
nb::tuple selection(nervure::Selection<T>&& s) {
  return nb::make_tuple(give(std::move(s.indptr)), give(std::move(s.sources)),
                        static_cast<double>(s.threshold));
}

template <class T>
nb::tuple select_largest_of(Address matrix, std::int32_t n, std::int64_t k, double hint,
                            int threads) {
  nervure::Selection<T> s;
  {
    nb::gil_scoped_release release;
    s = nervure::select_largest<T>(pointer<const T>(matrix), n, k, static_cast<T>(hint), threads);
  }
  return selection(std::move(s));
}

nb::tuple select_largest(bool twice, Address matrix, std::int32_t n, std::int64_t k, double hint,
                         int threads) {
  return twice ? select_largest_of<double>(matrix, n, k, hint, threads)
               : select_largest_of<float>(matrix, n, k, hint, threads);
}

template <class T>
nb::tuple update_of(std::int32_t n, Address weight, Address gradient, Address momentum, bool first,
                    const std::array<double, 4>& sgd, bool nesterov, bool maximize, int form,
                    double strength, Address size, double largest, IntArray indptr,
                    IntArray sources, double hint, std::int64_t keep, int threads) {
  nervure::Selection<T> s;
  {
    nb::gil_scoped_release release;
    const nervure::Csr edges = csr_of(indptr, sources);
    require(edges.nodes == n, "the edges are not those of the matrix");
    auto number = [](double x) { return static_cast<T>(x); };
    s = nervure::update_and_select<T>(
        {n, pointer<T>(weight), pointer<const T>(gradient), pointer<T>(momentum), first,
         number(sgd[0]), number(sgd[1]), number(sgd[2]), number(sgd[3]), nesterov, maximize, form,
         number(strength), pointer<const T>(size), number(largest), edges.indptr, edges.neighbours,
         number(hint)},
        keep, threads);
  }
  return selection(std::move(s));
}

// Most sweeps, worst residual, samples lost, first component lost, samples recovered.
using Summary = std::tuple<double, double, double, double, double>;

template <class T>
Summary summary(const nervure::Report<T>& report, std::int64_t batch) {
  Summary all{0, 0, 0, -1, 0};
  for (std::int64_t b = 0; report.residual && b < batch; ++b) {
    auto& [sweeps, residual, lost, first, recovered] = all;
    const double component = report.failed[b];
    sweeps = std::max(sweeps, static_cast<double>(report.sweeps[b]));
    residual = std::max(residual, static_cast<double>(report.residual[b]));
    if (component < 0) {
      recovered += report.recovered[b];
      continue;
    }
    first = lost > 0 ? std::min(first, component) : component;
    ++lost;
  }
  return all;
}

// A program and the arrays it looks into.
class BoundProgram {
 public:
  BoundProgram(IntArray indptr, IntArray sources, IntArray inputs, IntArray outputs,
               IntArray activation, std::int32_t block, bool input_bias)
      : indptr_(indptr), sources_(sources) {
    nb::gil_scoped_release release;
    auto copied = [](const IntArray& a) {
      return std::vector<std::int32_t>(a.data(), a.data() + a.shape(0));
    };
    program_ = std::make_unique<nervure::Program>(
        nervure::Wiring{csr_of(indptr, sources), block, copied(inputs), copied(outputs),
                        copied(activation), input_bias});
  }

  template <class T>
  Summary forward(std::int64_t batch, Address drive, Address weight, Address bias, Address state,
               Address slope, Address output, Address residual, Address sweeps, Address failed,
               Address recovered, double tolerance, std::int32_t max_sweeps, double leak,
               int threads) const {
    nb::gil_scoped_release release;
    const nervure::Report<T> report{pointer<T>(residual), pointer<std::int32_t>(sweeps),
                                    pointer<std::int32_t>(failed),
                                    pointer<std::uint8_t>(recovered)};
    nervure::run_forward<T>(
        {program_.get(), batch, pointer<const T>(drive), pointer<const T>(weight),
         pointer<const T>(bias), pointer<T>(state), pointer<T>(slope), pointer<T>(output),
         static_cast<T>(tolerance), max_sweeps, static_cast<T>(leak),
         report},
        threads);
    return summary(report, batch);
  }

  template <class T>
  Summary adjoint(std::int64_t batch, Address grad_output, Address weight, Address state,
               Address slope, Address converged, Address delta, Address grad_drive,
               Address residual, Address sweeps, Address failed, Address recovered,
               double tolerance, std::int32_t max_sweeps, double leak, int threads) const {
    nb::gil_scoped_release release;
    const nervure::Report<T> report{pointer<T>(residual), pointer<std::int32_t>(sweeps),
                                    pointer<std::int32_t>(failed),
                                    pointer<std::uint8_t>(recovered)};
    nervure::run_adjoint<T>(
        {program_.get(), batch, pointer<const T>(grad_output), pointer<const T>(weight),
         pointer<const T>(state), pointer<const T>(slope), pointer<const std::uint8_t>(converged),
         pointer<T>(delta), pointer<T>(grad_drive), static_cast<T>(tolerance), max_sweeps,
         static_cast<T>(leak),
         report},
        threads);
    return summary(report, batch);
  }

  template <class T>
  void edge_gradient(std::int64_t chunks, Address state, Address delta, Address grad_weight,
                     Address grad_bias, int threads) const {
    nb::gil_scoped_release release;
    nervure::run_edge_gradient<T>({program_.get(), chunks, pointer<const T>(state),
                                   pointer<const T>(delta), pointer<T>(grad_weight),
                                   pointer<T>(grad_bias)},
                                  threads);
  }

  template <class T>
  void gather_edges(Address matrix, Address weight, Address diagonal) const {
    nb::gil_scoped_release release;
    require(program_->block == 1, "a dense matrix has no blocks");
    nervure::gather_edges<T>(*program_, pointer<const T>(matrix), pointer<T>(weight),
                             pointer<T>(diagonal));
  }

  const nervure::Program& operator*() const { return *program_; }

 private:
  IntArray indptr_, sources_;
  std::unique_ptr<nervure::Program> program_;
};

template <class T>
nb::ndarray<nb::numpy, T, nb::ndim<1>> empty(std::size_t count) {
  const std::size_t bytes = count * sizeof(T);
  struct Owned {
    void* buffer;
    std::size_t bytes;
  };
  auto* owned = new Owned{nervure::take_buffer(bytes), bytes};
  nb::capsule owner(owned, [](void* p) noexcept {
    auto* held = static_cast<Owned*>(p);
    nervure::give_buffer(held->buffer, held->bytes);
    delete held;
  });
  return nb::ndarray<nb::numpy, T, nb::ndim<1>>(static_cast<T*>(owned->buffer), {count}, owner);
}

template <class T>
void define_sweeps(nb::class_<BoundProgram>& c, const char* suffix) {
  auto named = [&](const char* name) { return std::string(name) + suffix; };
  c.def(named("forward").c_str(), &BoundProgram::forward<T>);
  c.def(named("adjoint").c_str(), &BoundProgram::adjoint<T>);
  c.def(named("edge_gradient").c_str(), &BoundProgram::edge_gradient<T>);
  c.def(named("gather_edges").c_str(), &BoundProgram::gather_edges<T>);
}

}  // namespace

NB_MODULE(_core, m) {
  // Plans live in caches until the interpreter ends; that is no leak.
  nb::set_leak_warnings(false);
  m.doc() = "Native core of nervure: graph analysis and sweeps.";
  m.def("strong_components", &strong_components, "indptr"_a.noconvert(), "sources"_a.noconvert());
  m.def("condensation_levels", &condensation_levels, "indptr"_a.noconvert(),
        "sources"_a.noconvert(), "labels"_a.noconvert(), "order"_a.noconvert(),
        "offsets"_a.noconvert());
  m.def("transpose", &transpose, "indptr"_a.noconvert(), "sources"_a.noconvert());
  m.def("reachable", &reachable, "indptr"_a.noconvert(), "neighbours"_a.noconvert(),
        "seeds"_a.noconvert());
  m.def("select_largest", &select_largest);
  m.def("dense_update32", &update_of<float>);
  m.def("dense_update64", &update_of<double>);
  m.def("empty32", &empty<float>);
  m.def("empty64", &empty<double>);
  m.def("empty_cache", &nervure::empty_cache);
  m.def("cache_statistics", [] {
    const nervure::CacheStatistics s = nervure::cache_statistics();
    return std::make_tuple(s.allocations, s.in_use, s.cached);
  });
  nb::class_<BoundProgram> program(m, "Program");
  program.def(nb::init<IntArray, IntArray, IntArray, IntArray, IntArray, std::int32_t, bool>(),
              "indptr"_a.noconvert(), "sources"_a.noconvert(), "inputs"_a.noconvert(),
              "outputs"_a.noconvert(), "activation"_a.noconvert(), "block"_a, "input_bias"_a);
  program.def_prop_ro("nodes", [](const BoundProgram& p) { return (*p).nodes; });
  program.def_prop_ro("weights", [](const BoundProgram& p) { return (*p).weights(); });
  program.def_prop_ro("has_cycles", [](const BoundProgram& p) { return (*p).has_cycles; });
  program.def_prop_ro("has_slopes", [](const BoundProgram& p) { return (*p).has_slopes; });
  program.def_prop_ro("shared_edges", [](const BoundProgram& p) { return (*p).shared_edges(); });
  program.def_prop_ro("groups", [](const BoundProgram& p) { return (*p).num_groups; });
  program.def_prop_ro("nbytes", [](const BoundProgram& p) { return (*p).bytes(); });
  program.def("component_size", [](const BoundProgram& p, std::int64_t component) {
    require(component >= 0 && component < (*p).num_components, "no such component");
    return (*p).component_size[component];
  });
  define_sweeps<float>(program, "32");
  define_sweeps<double>(program, "64");
  m.def("use_openmp", &nervure::use_openmp);
  m.def("instruction_set", &nervure::instruction_set);
  m.def("use_instruction_set", &nervure::use_instruction_set, "name"_a);
}
