// Large buffers that are kept for the next step instead of going back to the system, whose fresh
// pages cost more to touch than the sweeps that fill them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace nervure {

void* take_buffer(std::size_t bytes);  // aligned to 64 bytes at least; throws std::bad_alloc
void give_buffer(void* buffer, std::size_t bytes) noexcept;
void empty_cache() noexcept;

// A buffer for as long as a scope lasts.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(T)),
        at_(count > 0 ? static_cast<T*>(take_buffer(bytes_)) : nullptr) {}
  ~Buffer() {
    if (at_) give_buffer(at_, bytes_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* get() const { return at_; }

 private:
  std::size_t bytes_;
  T* at_;
};

struct CacheStatistics {
  std::int64_t allocations;  // buffers asked of the system so far
  std::int64_t in_use, cached;  // bytes
};
CacheStatistics cache_statistics();

}  // namespace nervure
