// SPDX-License-Identifier: MIT
// Submit to a oneTBB arena from a thread that takes no part in it: task_arena::enqueue. Two ways
// to wait, neither of which oneTBB brings itself:
//   tbb          one counter for the whole batch, waited for with a futex: as cheap as can be
//   tbb-future   a std::promise and its std::future a task: what il_future gives (future=1)

#include <batch_work.h>

#include <atomic>
#include <future>
#include <memory>
#include <vector>

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

static tbb::task_arena *arena;

static void counter_batch(int64_t *in, int64_t *out, int64_t count)
{
    static std::atomic<int64_t> left;
    static std::atomic<int> done; // an int is what a futex waits for

    left = count;
    done = 0;
    for (int64_t i = 0; i < count; i++) {
        arena->enqueue([in, out, i] {
            out[i] = batch_task(in[i]);
            if (left.fetch_sub(1) == 1) {
                done.store(1);
                done.notify_one();
            }
        });
    }
    done.wait(0);
}

static void future_batch(int64_t *in, int64_t *out, int64_t count)
{
    static std::vector<std::future<int64_t>> futures;

    futures.clear();
    for (int64_t i = 0; i < count; i++) {
        auto promise = std::make_shared<std::promise<int64_t>>();
        futures.push_back(promise->get_future());
        arena->enqueue([in, i, promise] { promise->set_value(batch_task(in[i])); });
    }
    for (int64_t i = 0; i < count; i++) out[i] = futures[static_cast<size_t>(i)].get();
}

int main(int, char **argv)
{
    batch_job job = batch_asked(argv);
    bool future = bench_number(argv, "future", 0);
    size_t workers = static_cast<size_t>(job.workers);
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, workers + 1);
    tbb::task_arena pool(job.workers, 0); // no slot kept for the outside

    arena = &pool;
    batch_measure(&job, future ? future_batch : counter_batch);
    batch_line(&job, future ? "tbb-future" : "tbb");
}
