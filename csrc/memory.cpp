#include "memory.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace nervure {
namespace {

constexpr std::size_t kHuge = std::size_t{1} << 21;  // a huge page

struct Cache {
  std::mutex mutex;
  std::multimap<std::size_t, void*> free;
  std::int64_t allocations = 0, in_use = 0, peak = 0, cached = 0;
};

Cache& cache() {
  static Cache* c = [] {
    auto* made = new Cache;  // never destroyed: buffers may outlive static destruction
#if !defined(_WIN32)
    // A fork while another thread holds the lock would leave the child with a lock nobody opens.
    pthread_atfork([] { cache().mutex.lock(); }, [] { cache().mutex.unlock(); },
                   [] { cache().mutex.unlock(); });
#endif
    return made;
  }();
  return *c;
}

std::size_t rounded(std::size_t bytes) {
  const std::size_t unit = bytes >= kHuge ? kHuge : 4096;
  return (std::max<std::size_t>(bytes, 1) + unit - 1) / unit * unit;
}

std::align_val_t alignment(std::size_t size) {
  return std::align_val_t{size >= kHuge ? kHuge : 64};
}

void release(void* buffer, std::size_t size) { ::operator delete(buffer, alignment(size)); }

}  // namespace

void* take_buffer(std::size_t bytes) {
  const std::size_t size = rounded(bytes);
  Cache& c = cache();
  {
    std::lock_guard<std::mutex> lock(c.mutex);
    c.in_use += static_cast<std::int64_t>(size);
    c.peak = std::max(c.peak, c.in_use);
    const auto found = c.free.find(size);
    if (found != c.free.end()) {
      void* buffer = found->second;
      c.free.erase(found);
      c.cached -= static_cast<std::int64_t>(size);
      return buffer;
    }
    ++c.allocations;
  }
  void* buffer;
  try {
    buffer = ::operator new(size, alignment(size));
  } catch (const std::bad_alloc&) {
    empty_cache();
    try {
      buffer = ::operator new(size, alignment(size));
    } catch (const std::bad_alloc&) {
      std::lock_guard<std::mutex> lock(c.mutex);
      c.in_use -= static_cast<std::int64_t>(size);
      throw;
    }
  }
#if defined(__linux__)
  if (size >= kHuge) madvise(buffer, size, MADV_HUGEPAGE);
#endif
  return buffer;
}

void give_buffer(void* buffer, std::size_t bytes) noexcept {
  const std::size_t size = rounded(bytes);
  Cache& c = cache();
  {
    std::lock_guard<std::mutex> lock(c.mutex);
    c.in_use -= static_cast<std::int64_t>(size);
    // Never more in store than twice what was once in use at a time: buffers of one step that are not
    // in use together must all stay.
    if (c.cached + static_cast<std::int64_t>(size) <= 2 * c.peak) {
      try {
        c.free.emplace(size, buffer);
        c.cached += static_cast<std::int64_t>(size);
        return;
      } catch (const std::bad_alloc&) {
      }
    }
  }
  release(buffer, size);
}

void empty_cache() noexcept {
  Cache& c = cache();
  std::multimap<std::size_t, void*> free;
  {
    std::lock_guard<std::mutex> lock(c.mutex);
    free.swap(c.free);
    c.cached = 0;
    c.peak = c.in_use;
  }
  for (const auto& [size, buffer] : free) release(buffer, size);
}

CacheStatistics cache_statistics() {
  Cache& c = cache();
  std::lock_guard<std::mutex> lock(c.mutex);
  return {c.allocations, c.in_use, c.cached};
}

}  // namespace nervure
