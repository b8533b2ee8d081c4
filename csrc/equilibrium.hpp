// Solving one component with cycles. Included inside the namespace of one instruction set.

// What one equilibrium solve knows of each lane.
template <class T>
struct Lanes {
  RowMask<T> active;   // still moving; others are frozen, so that no sample sees its neighbours
  RowMask<T> pending;  // steps fell below the tolerance, to be checked once more
  RowMask<T> accelerated;  // solved by acceleration
  Row<T> step_tolerance;
  T residual[kLanes<T>];
  std::int32_t sweeps[kLanes<T>];
};

template <class T>
inline T relative(T residual, T scale) {
  return residual == 0 ? residual : residual / scale;
}

// Takes a node's next value into its row where a lane is active, and keeps the largest change and
// the largest value, as bits: a NaN stays the largest.
template <class T, bool moving>
struct Track {
  T* rows;
  RowMask<T> active, change, size;

  [[gnu::always_inline]] inline void operator()(std::int32_t node, const Row<T>& next) {
    T* row = at_node(rows, node);
    NERVURE_UNROLL for (int v = 0; v < kVectors; ++v) {
      const Vec<T> old = load<T>(row + v * kWidth<T>);
      change.v[v] = larger<T>(change.v[v], size_bits<T>(next.v[v] - old));
      size.v[v] = larger<T>(size.v[v], size_bits<T>(moving ? next.v[v] : old));
      if constexpr (moving)
        store<T>(row + v * kWidth<T>, active.v[v] ? next.v[v] : old);
    }
  }
};

// Takes a node's value into its row where a lane is alive, zero elsewhere.
template <class T>
struct Store {
  T* rows;
  RowMask<T> alive;

  [[gnu::always_inline]] inline void operator()(std::int32_t node, const Row<T>& next) {
    store_row<T>(at_node(rows, node), keep<T>(alive, next));
  }
};

// The least that values are measured by.
template <class T, class Problem>
RowMask<T> least_size(const Problem& problem) {
  RowMask<T> least;
  for (int v = 0; v < kVectors; ++v) least.v[v] = bits_of<T>(splat<T>(problem.floor()));
  return least;
}

// Iterates x_i <- next(i) over the nodes of one component (Gauss-Seidel) until, for every active
// lane, the true residual max_i |next(i) - x_i| / scale is within tolerance, where scale is the
// largest |x_i|, or problem.floor() if less. Lanes that do not get there within max_sweeps, each
// counted by itself, are returned as active.
template <class T, class Problem>
void sweep_until_still(const Problem& problem, const Panel* first, const Panel* last, T tolerance,
                       std::int32_t max_sweeps, Lanes<T>& lanes) {
  constexpr int width = kLanes<T>;
  const Vec<T> largest = splat<T>(std::numeric_limits<T>::max());
  const RowMask<T> least = least_size<T>(problem);
  lanes.pending = {};
  for (int v = 0; v < kVectors; ++v) lanes.step_tolerance.v[v] = splat<T>(tolerance);
  RowMask<T> unsolved = {};
  std::int32_t before[width], own[width] = {};
  std::copy_n(lanes.sweeps, width, before);
  const auto stop_if_spent = [&](int s) {
    if (!lane<T>(lanes.active, s) || own[s] < max_sweeps) return;
    lane<T>(lanes.active, s) = 0;
    lane<T>(unsolved, s) = -1;
  };
  do {
    while (any<T>(lanes.active)) {
      const RowMask<T> moved = lanes.active;
      Track<T, true> track{problem.rows, lanes.active, {}, least};
      visit<T>(problem, first, last, false, track);
      Row<T> step, scale;
      for (int v = 0; v < kVectors; ++v) {
        step.v[v] = value_of<T>(track.change.v[v]);
        scale.v[v] = value_of<T>(track.size.v[v]);
      }
      RowMask<T> lost;
      for (int v = 0; v < kVectors; ++v) {
        const Vec<T> bound = lanes.step_tolerance.v[v] * scale.v[v];
        const Mask<T> settled = lanes.active.v[v] & (step.v[v] <= bound);
        lost.v[v] = lanes.active.v[v] & ~(step.v[v] <= largest);
        lanes.pending.v[v] |= settled;
        unsolved.v[v] |= lost.v[v];
        lanes.active.v[v] &= ~(settled | lost.v[v]);
      }
      for (int s = 0; s < width; ++s) {
        if (!lane<T>(moved, s)) continue;
        const bool on = lane<T>(lanes.active, s) != 0;
        if (++own[s] == 1 || on) lanes.sweeps[s] = before[s] + own[s];
        if (on) lanes.residual[s] = relative<T>(lane<T>(step, s), lane<T>(scale, s));
        if (lane<T>(lost, s)) lanes.residual[s] = std::numeric_limits<T>::infinity();
        stop_if_spent(s);
      }
    }
    if (!any<T>(lanes.pending)) break;
    // The true residual of the settled lanes, all rows held still.
    Track<T, false> track{problem.rows, {}, {}, least};
    visit<T>(problem, first, last, true, track);
    Row<T> worst, scale;
    for (int v = 0; v < kVectors; ++v) {
      worst.v[v] = value_of<T>(track.change.v[v]);
      scale.v[v] = value_of<T>(track.size.v[v]);
    }
    for (int v = 0; v < kVectors; ++v) {
      const Mask<T> moving = lanes.pending.v[v] & ~(worst.v[v] <= tolerance * scale.v[v]);
      lanes.active.v[v] |= moving;
      // A lane sent back must take smaller steps before it is checked again.
      lanes.step_tolerance.v[v] =
          moving ? lanes.step_tolerance.v[v] * T(0.25) : lanes.step_tolerance.v[v];
    }
    for (int s = 0; s < width; ++s) {
      if (!lane<T>(lanes.pending, s)) continue;
      lanes.residual[s] = relative<T>(lane<T>(worst, s), lane<T>(scale, s));
      stop_if_spent(s);
    }
    lanes.pending = {};
  } while (any<T>(lanes.active));
  lanes.active = unsolved;
}

#include "acceleration.hpp"

// Sweeps after which the samples that have not settled are accelerated.
constexpr std::int32_t kPatience = 50;

// Solves one component for the wanted lanes; those that are lost are returned as active.
template <class T, class Problem>
void solve_component(const Problem& problem, const Panel* first, const Panel* last, T tolerance,
                     std::int32_t max_sweeps, const RowMask<T>& wanted, Lanes<T>& lanes) {
  lanes.active = wanted;
  lanes.accelerated = {};
  for (int s = 0; s < kLanes<T>; ++s) {
    lanes.residual[s] = 0;
    lanes.sweeps[s] = 0;
  }
  sweep_until_still<T>(problem, first, last, tolerance, std::min(max_sweeps, kPatience), lanes);
  if (max_sweeps <= kPatience || !any<T>(lanes.active)) return;
  try {
    accelerate<T>(problem, first, last, tolerance, max_sweeps, lanes);
  } catch (const std::bad_alloc&) {
    // Without the memory for it there are sweeps.
  }
  if (!any<T>(lanes.active)) return;
  // Sweeps that contract get there, be it slowly, whatever acceleration did.
  restart<T>(problem, lanes.active);
  sweep_until_still<T>(problem, first, last, tolerance, max_sweeps, lanes);
}

// Walks the segments of a group: acyclic panels once, with every row masked to the samples that are
// alive; components until they are solved. Samples that are lost in one are no longer alive after it.
template <class T, class Problem>
void walk_group(Problem& problem, const Group& group, T tolerance, std::int32_t max_sweeps,
                std::int64_t begin, int samples, RowMask<T> alive, const Report<T>& report) {
  const Panel* panels = problem.walk.panels.data();
  const Segment* segments = problem.walk.segments.data();
  for (std::int32_t i = group.first; i < group.last; ++i) {
    const Segment& segment = segments[i];
    const Panel *first = panels + segment.first, *last = panels + segment.last;
    if (segment.component < 0) {
      Store<T> finish{problem.rows, alive};
      visit<T>(problem, first, last, true, finish);
      continue;
    }
    problem.enter(first, last);
    Lanes<T> lanes;
    solve_component<T>(problem, first, last, tolerance, max_sweeps, alive, lanes);
    problem.leave();
    for (int s = 0; s < samples; ++s) {
      if (!lane<T>(alive, s)) continue;
      const std::int64_t b = begin + s;
      report.residual[b] = std::max(report.residual[b], lanes.residual[s]);
      report.sweeps[b] = std::max(report.sweeps[b], lanes.sweeps[s]);
      if (lane<T>(lanes.accelerated, s)) report.recovered[b] = 1;
      if (lane<T>(lanes.active, s)) {
        // As unsigned numbers, -1 is the highest.
        report.failed[b] = std::min<std::uint32_t>(report.failed[b], segment.component);
        lane<T>(alive, s) = 0;
      }
    }
  }
}
