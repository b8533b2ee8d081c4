// Threads: those of the OpenMP library that torch runs on, where there is one, else a small pool of
// our own. With two sets of threads each would find the other's, idle but spinning, on its cores.
#pragma once
#include <cstdint>
#include <functional>

namespace nervure {

// Runs body(task) for every task in [0, tasks), on at most `threads` threads with the caller among
// them. Tasks are handed out one by one, so a body must not care which thread runs it. When the
// pool is in use by another caller, or in a forked child whose workers do not exist, the caller
// does everything itself. Exceptions must not leave body.
void parallel_for(std::int64_t tasks, int threads, const std::function<void(std::int64_t)>& body);

// Takes the threads of an OpenMP library (GNU's) that is loaded already; false if it is not.
bool use_openmp(const char* library);

}  // namespace nervure
