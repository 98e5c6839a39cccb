// SPDX-License-Identifier: MIT
// The table line with oneTBB: concurrent_hash_map, whose accessors lock an element, or, with lock=1,
// std::unordered_map under a std::shared_mutex, as everybody writes it first. Plain threads.

#include <table_work.h>

#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include <tbb/concurrent_hash_map.h>

using hash_map = tbb::concurrent_hash_map<uint64_t, uint64_t>;

static bool locked;
static hash_map *table;
static std::unordered_map<uint64_t, uint64_t> plain;
static std::shared_mutex mutex;

static bool table_get(uint64_t key, uint64_t *value)
{
    if (locked) {
        std::shared_lock lock(mutex);
        auto found = plain.find(key);
        if (found == plain.end()) return false;
        *value = found->second;
        return true;
    }
    hash_map::const_accessor found;
    if (!table->find(found, key)) return false;
    *value = found->second;
    return true;
}

static bool table_add(uint64_t key, uint64_t value)
{
    if (locked) {
        std::unique_lock lock(mutex);
        return plain.emplace(key, value).second;
    }
    return table->insert({ key, value });
}

static bool table_remove(uint64_t key)
{
    if (locked) {
        std::unique_lock lock(mutex);
        return plain.erase(key) == 1;
    }
    return table->erase(key);
}

static int64_t table_count()
{
    return static_cast<int64_t>(locked ? plain.size() : table->size());
}

static int64_t table_run_all()
{
    std::vector<std::thread> threads;
    int64_t start = bench_now();
    for (int i = 0; i < the_job.workers; i++) threads.emplace_back(table_run, &table_workers[i]);
    for (auto &thread : threads) thread.join();
    return bench_now() - start;
}

int main(int, char **argv)
{
    hash_map map;

    table = &map;
    locked = bench_number(argv, "lock", 0) != 0;
    table_measure(argv, locked ? "std-locked" : "tbb");
}
