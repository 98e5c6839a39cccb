/* SPDX-License-Identifier: MIT */
/* Blocks on their way to another process and back. */

#include "factor/crate.h"

#include <pthread.h>
#include <string.h>

#include "factor/factor.h"

void crate_pack(struct crate_in *crate, struct block *block)
{
    crate->block = block;
    crate->manner = *block->manner;
    crate->first = block->first;
    crate->count = block->count;
    crate->size = block->text.size;
    crate->stays = block->text.size > sizeof crate->text;
    if (!crate->stays && block->text.size) memcpy(crate->text, block->text.data, block->text.size);
}

static void load(struct crate_out *crate, const struct block *block)
{
    size_t output = block->output.size, complaints = block->complaints.size;
    size_t places = block->places.size;

    crate->done = output + complaints + places <= sizeof crate->bytes;
    if (!crate->done) return;
    crate->numbers = block->numbers;
    crate->took = block->took;
    crate->output = output;
    crate->complaints = complaints;
    crate->places = places;
    if (output) memcpy(crate->bytes, block->output.data, output);
    if (complaints) memcpy(crate->bytes + output, block->complaints.data, complaints);
    if (places) memcpy(crate->bytes + output + complaints, block->places.data, places);
}

int crate_run(void *in, void *out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static struct block block; /* its buffers are used again: a worker has one thread */
    struct crate_in *crate = in;

    if (crate->stays) return 0;
    pthread_once(&once, factor_init);
    block.manner = &crate->manner;
    block.text = (struct bytes){ crate->text, crate->size, sizeof crate->text };
    block.first = crate->first;
    block.count = crate->count;
    int status = block_run(&(struct block *){ &block }, NULL);
    if (!status) load(out, &block);
    return status;
}

static int fill(struct bytes *bytes, const char *from, size_t size)
{
    bytes->size = 0;
    int status = bytes_reserve(bytes, size);
    if (status || !size) return status;
    memcpy(bytes->data, from, size);
    bytes->size = size;
    return 0;
}

int crate_unpack(const struct crate_out *crate, struct block *block)
{
    if (!crate->done) return block_run(&block, NULL);
    const char *complaints = crate->bytes + crate->output;
    int status = fill(&block->output, crate->bytes, crate->output);
    if (!status) status = fill(&block->complaints, complaints, crate->complaints);
    if (!status) status = fill(&block->places, complaints + crate->complaints, crate->places);
    block->numbers = crate->numbers;
    block->took = crate->took;
    return status;
}
