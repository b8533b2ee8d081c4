// Threads: those of the OpenMP library that torch runs on, where there is one, else a small pool of
// our own. With two sets of threads each would find the other's, idle but spinning, on its cores.
#pragma once
#include <cstdint>
#include <functional>

namespace nervure {

// Runs body(task) for every task in [0, tasks), on at most `threads` threads with the caller among
// them. Tasks are handed out one by one, in order, so a body must not care which thread runs it. When the
// pool is in use by another caller, or in a forked child whose workers do not exist, the caller
// does everything itself. Exceptions must not leave body.
void parallel_for(std::int64_t tasks, int threads, const std::function<void(std::int64_t)>& body);

// The same for several stages of so many tasks each, of which one begins when the one before it is
// done. Cheaper than several calls: on a busy machine each waits for all threads to be woken.
void parallel_stages(int stages, std::int64_t tasks, int threads,
                     const std::function<void(int stage, std::int64_t task)>& body);

// Takes the threads of an OpenMP library (GNU's) that is loaded already; false if it is not.
bool use_openmp(const char* library);

}  // namespace nervure
