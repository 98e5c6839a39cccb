/* SPDX-License-Identifier: MIT */
/*
 * Submit to the pool that everybody writes once: POSIX threads that take jobs from a list under a
 * mutex and a condition, and a counter under the same mutex that says when a batch is done.
 */

#include <batch_work.h>
#include <pthread.h>

typedef struct job {
    int64_t *in, *out;
} job;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER, all_done = PTHREAD_COND_INITIALIZER;
static job *jobs; /* room for a batch; jobs[taken] to jobs[given - 1] wait */
static int64_t given, taken, left;
static int closed;

static void *worker(void *arg)
{
    pthread_mutex_lock(&mutex);
    for (;;) {
        while (taken == given && !closed) pthread_cond_wait(&more, &mutex);
        if (taken == given) break;

        job mine = jobs[taken++];
        pthread_mutex_unlock(&mutex);
        *mine.out = batch_task(*mine.in);
        pthread_mutex_lock(&mutex);
        if (!--left) pthread_cond_signal(&all_done);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void submit_batch(int64_t *in, int64_t *out, int64_t count)
{
    pthread_mutex_lock(&mutex);
    given = taken = 0;
    left = count;
    pthread_mutex_unlock(&mutex);
    for (int64_t i = 0; i < count; i++) {
        pthread_mutex_lock(&mutex);
        jobs[given++] = (job){ &in[i], &out[i] };
        pthread_mutex_unlock(&mutex);
        pthread_cond_signal(&more);
    }
    pthread_mutex_lock(&mutex);
    while (left) pthread_cond_wait(&all_done, &mutex);
    pthread_mutex_unlock(&mutex);
}

int main(int argc, char **argv)
{
    batch_job asked = batch_asked(argv);
    pthread_t *threads = bench_array((size_t)asked.workers, sizeof *threads);

    jobs = bench_array((size_t)asked.batch, sizeof *jobs);
    for (int i = 0; i < asked.workers; i++) {
        bench_must(pthread_create(&threads[i], NULL, worker, NULL), "pthread_create");
    }
    batch_measure(&asked, submit_batch);
    pthread_mutex_lock(&mutex);
    closed = 1;
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < asked.workers; i++) pthread_join(threads[i], NULL);
    free(threads);
    free(jobs);
    batch_line(&asked, "pthread");
    return argc == 0;
}
