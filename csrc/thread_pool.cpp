#include "thread_pool.hpp"

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <dlfcn.h>
#include <unistd.h>
#endif

namespace nervure {
namespace {

// A worker looks for work this many times before it sleeps: sweeps follow each other closely in
// training, and waking a sleeping thread costs tens of microseconds.
constexpr int kSpins = 4000;

class Pool {
 public:
  // Joins no thread: the pool lives until the process ends.
  void run(std::int64_t tasks, int threads, const std::function<void(std::int64_t)>& body) {
    grow(threads - 1);
    auto job = std::make_shared<Job>();
    job->body = &body;
    job->tasks = tasks;
    job->seats = threads - 1;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      job_ = job;
      ++generation_;
    }
    wake_.notify_all();
    work(*job);
    while (job->running.load(std::memory_order_acquire) != 0) std::this_thread::yield();
    std::lock_guard<std::mutex> lock(mutex_);
    job_.reset();
  }

 private:
  struct Job {
    const std::function<void(std::int64_t)>* body = nullptr;
    std::int64_t tasks = 0;
    std::atomic<std::int64_t> next{0};
    std::atomic<int> seats{0};
    std::atomic<int> running{0};
  };

  static void work(Job& job) {
    for (;;) {
      const std::int64_t task = job.next.fetch_add(1, std::memory_order_relaxed);
      if (task >= job.tasks) return;
      (*job.body)(task);
    }
  }

  void grow(int workers) {
    while (static_cast<int>(workers_.size()) < workers) {
      workers_.emplace_back([this] { loop(); });
      workers_.back().detach();
    }
  }

  void loop() {
    std::uint64_t seen = 0;
    for (;;) {
      for (int spin = 0; spin < kSpins && generation_.load(std::memory_order_acquire) == seen; ++spin)
        std::this_thread::yield();
      std::shared_ptr<Job> job;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load() != seen; });
        seen = generation_.load();
        job = job_;
        // Taken under the lock, so that run() cannot finish between reading job_ and this.
        if (!job || job->seats.fetch_sub(1) <= 0) continue;
        job->running.fetch_add(1);
      }
      work(*job);
      job->running.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<Job> job_;
  std::atomic<std::uint64_t> generation_{0};
  std::vector<std::thread> workers_;
};

long process_id() {
#if defined(_WIN32)
  return 0;
#else
  return static_cast<long>(getpid());
#endif
}

// libgomp's entry point for a parallel region: fn(data) on each of `threads` threads.
using OpenMpRegion = void (*)(void (*fn)(void*), void* data, unsigned threads, unsigned flags);
std::atomic<OpenMpRegion> openmp{nullptr};

struct Shared {
  const std::function<void(std::int64_t)>* body;
  std::int64_t tasks;
  std::atomic<std::int64_t> next{0};
};

void take_tasks(void* data) {
  auto* shared = static_cast<Shared*>(data);
  for (;;) {
    const std::int64_t task = shared->next.fetch_add(1, std::memory_order_relaxed);
    if (task >= shared->tasks) return;
    (*shared->body)(task);
  }
}

// The process that loaded this library.
const long owner = process_id();

}  // namespace

bool use_openmp(const char* library) {
#if !defined(_WIN32)
  if (void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD)) {
    openmp = reinterpret_cast<OpenMpRegion>(dlsym(handle, "GOMP_parallel"));
    return openmp != nullptr;
  }
#else
  static_cast<void>(library);
#endif
  return false;
}

void parallel_for(std::int64_t tasks, int threads, const std::function<void(std::int64_t)>& body) {
  if (threads > tasks) threads = static_cast<int>(tasks);
  // A forked child has none of its parent's workers.
  if (threads > 1 && process_id() == owner) {
    if (const OpenMpRegion region = openmp) {
      Shared shared{&body, tasks, {}};
      region(take_tasks, &shared, static_cast<unsigned>(threads), 0);
      return;
    }
    static std::mutex busy;
    static Pool* pool = new Pool;  // never destroyed: workers may outlive static destruction
    std::unique_lock<std::mutex> lock(busy, std::try_to_lock);
    if (lock.owns_lock()) {
      pool->run(tasks, threads, body);
      return;
    }
  }
  for (std::int64_t task = 0; task < tasks; ++task) body(task);
}

void parallel_stages(int stages, std::int64_t tasks, int threads,
                     const std::function<void(int, std::int64_t)>& body) {
  std::atomic<std::int64_t> done{0};
  // What a task waits for was handed out before it, so somebody is at it.
  parallel_for(stages * tasks, threads, [&](std::int64_t task) {
    const std::int64_t stage = task / tasks;
    while (done.load(std::memory_order_acquire) < stage * tasks) std::this_thread::yield();
    body(static_cast<int>(stage), task % tasks);
    done.fetch_add(1, std::memory_order_release);
  });
}

}  // namespace nervure
