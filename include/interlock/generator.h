/* SPDX-License-Identifier: MIT */
#ifndef INTERLOCK_GENERATOR_H
#define INTERLOCK_GENERATOR_H

/*
 * Generator: a function that yields its values one by one, to whoever asks for the next.
 *
 *     static int squares(void *in, void *out)          // `out` is the generator
 *     {
 *         int status = 0;
 *         for (long i = 0, n = *(long *)in; !status && i < n; i++) {
 *             long square = i * i;
 *             status = il_generator_yield(out, &square);
 *         }
 *         return status;                               // clean up before, in any case
 *     }
 *
 *     status = il_generator_new(pool, squares, &n, sizeof(long), NULL, &generator);
 *     while (!status && !(status = il_generator_next(generator, &square, IL_FOREVER)))
 *         printf("%ld\n", square);
 *     if (status == -EPIPE) status = 0;                // the end
 *     il_generator_free(generator);
 *
 * The body is a task of its own, with a stack of its own, so it yields from wherever it is: a loop,
 * a recursion, a function that it calls. It is lazy: it runs from one yield to the next, and only
 * when somebody asks; what it does between is done once for each value. Waiting, locks, other
 * tasks, other generators: it may do what any task may.
 *
 * States: suspended (at its beginning, or in a yield), running, ended. A generator belongs to the
 * scope in which it was made. It does not keep that scope from ending: when all else in the scope
 * has ended, closing it closes the generators that are left. Threads and fibers, any number of each,
 * may ask; each value goes to one of them. il_executor_close waits for its generators as for any
 * task; il_executor_free cancels them. (examples/24_generators.c)
 */

#include <interlock/executor.h>

IL__BEGIN

typedef struct il_generator il_generator;

typedef struct il_generator_opts {
    il_time
        deadline; /* absolute; the body is cancelled then, what comes next is -ETIMEDOUT; 0: none */
    const char *name; /* of its task; borrowed: a literal, or memory that outlives the executor */
} il_generator_opts;

/* Gives a generator of values of `item_size` bytes, whose body is body(in, generator) as a task of
 * `executor`: a pool of threads; NULL: that of the current scope or task. Borrows `in` until it has
 * ended. Never waits, and does not run the body yet.
 * Returns 0; -EINVAL: an executor that runs tasks in place, or none; -ENOMEM, -ESHUTDOWN, -EAGAIN,
 * or -ECANCELED as il_submit. */
IL_API int il_generator_new(il_executor *executor, il_fn *body, void *in, size_t item_size,
                            const il_generator_opts *opts, il_generator **out_generator);

/* The next value: lets the body go on, and waits until it yields. Copies to *out_item.
 * Returns 0; -EPIPE: the end, since the body returned 0 or was closed; what the body returned when
 * it failed, with its note (il_last_error); each of these again and again. -EDEADLK: asked by the
 * body itself. -EAGAIN, -ETIMEDOUT or -ECANCELED: gave up; the body goes on to its next yield all the
 * same, and that value is kept for the next call. */
IL_API int il_generator_next(il_generator *generator, void *out_item, il_time until);

/* In the body, and nowhere else (il_fatal): hand over a copy of *item, and wait to be asked for
 * more. Returns 0: asked; -ECANCELED: closed early or cancelled, and nobody will ask again: clean up
 * and return. */
IL_API int il_generator_yield(il_generator *generator, const void *item);

/* Nobody will ask again: the yield in which the body is suspended returns -ECANCELED, and so do all
 * that follow. Waits until the body has returned; one that has not begun never runs.
 * Returns 0; the failure of the body, unless it is -ECANCELED; -EAGAIN, -ETIMEDOUT or -ECANCELED: it
 * still runs. -EDEADLK: by the body itself. Again is fine. */
IL_API int il_generator_close(il_generator *generator, il_time until);

/* Close it, wait for its end whatever happens, release. NULL is fine. By the body: il_fatal. */
IL_API void il_generator_free(il_generator *generator);

IL__END

#endif
