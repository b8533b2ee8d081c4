// What the hardware allows of a Gauss-Seidel sweep: gather, tanh and two maxima, and nothing else,
// on a random graph, 32 samples, one thread. The figure that `nervure bench equilibrium` is held
// against in docs/performance.md. Needs AVX-512:
//
//   g++ -O3 -march=skylake-avx512 -mprefer-vector-width=512 benchmarks/bare_sweep.cpp -o bare && ./bare
#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <vector>

namespace {

using V = __m512;
constexpr int kLanes = 32;

V all(float x) { return _mm512_set1_ps(x); }

// Of the same cost and accuracy as the one in csrc/vector_math.hpp.
V tanh_of(V x) {
  const V sign = _mm512_and_ps(x, all(-0.0f));
  const V a = _mm512_min_ps(_mm512_abs_ps(x), all(9.02f)), t = _mm512_mul_ps(a, a);
  V p = all(1.3319299e-8f), q = all(7.7621171e-7f);
  for (const auto& [above, below] : {std::pair{2.0583662e-5f, 3.2831114e-4f},
                                     {3.4940463e-3f, 2.5871118e-2f},
                                     {1.3379728e-1f, 4.6713043e-1f},
                                     {1.0f, 1.0f}}) {
    p = _mm512_fmadd_ps(p, t, all(above));
    q = _mm512_fmadd_ps(q, t, all(below));
  }
  const V y = _mm512_div_ps(_mm512_mul_ps(a, p), q);
  return _mm512_or_ps(_mm512_min_ps(y, all(1)), sign);
}

struct Graph {
  std::vector<int> indptr{0}, sources;
  std::vector<float> weights;
};

Graph random_graph(int nodes, int degree) {
  std::mt19937 generator(0);
  Graph g;
  for (int i = 0; i < nodes; ++i) {
    std::vector<int> row(degree);
    for (int& source : row) source = static_cast<int>(generator() % nodes);
    std::sort(row.begin(), row.end());
    g.sources.insert(g.sources.end(), row.begin(), row.end());
    g.weights.insert(g.weights.end(), degree, 0.01f);
    g.indptr.push_back(static_cast<int>(g.sources.size()));
  }
  return g;
}

void sweep(const Graph& g, float* rows, const float* base, V* change, V* size) {
  const int nodes = static_cast<int>(g.indptr.size()) - 1;
  for (int i = 0; i < nodes; ++i) {
    V sum[4][2] = {};
    auto add = [&](int u, int k) {
      const float* row = rows + static_cast<long>(g.sources[k]) * kLanes;
      const V w = all(g.weights[k]);
      sum[u][0] = _mm512_fmadd_ps(w, _mm512_load_ps(row), sum[u][0]);
      sum[u][1] = _mm512_fmadd_ps(w, _mm512_load_ps(row + 16), sum[u][1]);
    };
    int k = g.indptr[i];
    const int end = g.indptr[i + 1];
    for (; k + 4 <= end; k += 4)
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) add(u, k + u);
    for (; k < end; ++k) add(0, k);
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      const long at = static_cast<long>(i) * kLanes + 16 * v;
      const V z = _mm512_add_ps(_mm512_add_ps(sum[0][v], sum[1][v]),
                                _mm512_add_ps(sum[2][v], sum[3][v]));
      const V a = tanh_of(_mm512_add_ps(z, _mm512_load_ps(base + at)));
      change[v] = _mm512_max_ps(change[v], _mm512_abs_ps(_mm512_sub_ps(a, _mm512_load_ps(rows + at))));
      size[v] = _mm512_max_ps(size[v], _mm512_abs_ps(a));
      _mm512_store_ps(rows + at, a);
    }
  }
}

}  // namespace

int main() {
  for (const auto& [nodes, degree] : {std::pair{300, 60}, {300, 6}, {3000, 15}}) {
    const Graph g = random_graph(nodes, degree);
    const std::size_t count = static_cast<std::size_t>(nodes) * kLanes;
    auto* rows = static_cast<float*>(std::aligned_alloc(4096, (count * 4 + 4095) / 4096 * 4096));
    auto* base = static_cast<float*>(std::aligned_alloc(4096, (count * 4 + 4095) / 4096 * 4096));
    std::fill_n(rows, count, 0.0f);
    for (std::size_t i = 0; i < count; ++i) base[i] = 0.3f * (static_cast<int>(i * 7 % 13) - 6);
    V change[2] = {}, size[2] = {};
    double best = 1e9;
    for (int trial = 0; trial < 50; ++trial) {
      const auto begin = std::chrono::steady_clock::now();
      for (int i = 0; i < 20; ++i) sweep(g, rows, base, change, size);
      const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
      best = std::min(best, taken.count() / 20 / nodes);
    }
    std::printf("%d nodes, %d edges each: %.1f ns per node and 32 samples (largest value %g)\n", nodes,
                degree, best, static_cast<double>(_mm512_reduce_max_ps(size[0])));
    std::free(rows);
    std::free(base);
  }
}
