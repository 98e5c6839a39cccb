// SPDX-License-Identifier: MIT
// A C++ program: its statics are made in workers too, up to the one that makes a pool itself.

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

extern "C" {
#include <cmocka.h>
}
#include <interlock.h>
#include <interlock/processes.h>

namespace {

std::map<long, std::string> names = {{1, "one"}, {2, "two"}, {3, "a name too long to lie in place"}};

struct Maker {
    il_executor *pool = nullptr;
    int status;
    Maker() : status(make()) {}
    ~Maker() { il_executor_free(pool); }
    int make()
    {
        il_processes_opts opts = {};
        opts.workers = 1;
        return il_processes_new(&opts, &pool);
    }
};
Maker early;

int measure(void *in, void *out)
{
    *static_cast<long *>(out) = static_cast<long>(names.at(*static_cast<long *>(in)).size());
    return 0;
}

void expect_lengths(il_executor *pool)
{
    long in[] = {1, 2, 3}, out[3] = {};
    assert_int_equal(il_map(pool, measure, in, out, 3, nullptr), 0);
    for (int i = 0; i < 3; i++) assert_int_equal(out[i], names[in[i]].size());
}

void statics_are_made_in_workers(void **)
{
    Maker late;
    assert_int_equal(late.status, 0);
    expect_lengths(late.pool);
}

void a_static_may_make_a_pool(void **)
{
    assert_int_equal(early.status, 0);
    expect_lengths(early.pool);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(statics_are_made_in_workers),
        cmocka_unit_test(a_static_may_make_a_pool),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
