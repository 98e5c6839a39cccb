/* SPDX-License-Identifier: MIT */
/*
 * Start and end of a POSIX thread: pthread_create of a batch, pthread_join of each. For start-wait
 * each thread waits once at a condition until all of the batch are there.
 */

#include <batch_work.h>
#include <pthread.h>

typedef struct lane {
    int64_t *in, *out;
    pthread_t thread;
} lane;

static lane *lanes;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_there = PTHREAD_COND_INITIALIZER, gate = PTHREAD_COND_INITIALIZER;
static int64_t missing;
static int waits, open;

static void *body(void *arg)
{
    lane *mine = arg;

    if (waits) {
        pthread_mutex_lock(&mutex);
        if (!--missing) pthread_cond_signal(&all_there);
        while (!open) pthread_cond_wait(&gate, &mutex);
        pthread_mutex_unlock(&mutex);
    }
    *mine->out = batch_task(*mine->in);
    return NULL;
}

static void thread_batch(int64_t *in, int64_t *out, int64_t count)
{
    missing = count;
    open = 0;
    for (int64_t i = 0; i < count; i++) {
        lanes[i] = (lane){ .in = &in[i], .out = &out[i] };
        bench_must(pthread_create(&lanes[i].thread, NULL, body, &lanes[i]), "pthread_create");
    }
    if (waits) {
        pthread_mutex_lock(&mutex);
        while (missing) pthread_cond_wait(&all_there, &mutex);
        open = 1;
        pthread_cond_broadcast(&gate);
        pthread_mutex_unlock(&mutex);
    }
    for (int64_t i = 0; i < count; i++) pthread_join(lanes[i].thread, NULL);
}

int main(int argc, char **argv)
{
    batch_job job = batch_asked(argv);

    waits = batch_is(&job, "start-wait");
    lanes = bench_array((size_t)job.batch, sizeof *lanes);
    batch_measure(&job, thread_batch);
    free(lanes);
    batch_line(&job, "pthread");
    return argc == 0;
}
