/* SPDX-License-Identifier: MIT */
/* Cutting the input into blocks. Used by the main thread only. */

#include "factor/intake.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_ROOM ((size_t)256 << 10)
#define BLOCK_MOST ((size_t)32 << 10)
#define TARGET IL_MS(2) /* of work in a block */

/* When nothing is there to read, wait so long before results are asked for. Input that comes in
 * pieces keeps all workers busy this way, and a person or a script that waits for an answer does
 * not notice. */
#define PATIENCE_MS 3

int intake_open(struct intake *intake)
{
    struct stat about;

    /* Trial division of one number may take ten seconds: one by one, until the time is known. */
    intake->least = intake->manner->random ? 1 : 32;
    intake->size = intake->manner->trial ? 1 : 16 * intake->least;
    intake->most = intake->manner->random ? 2048 : BLOCK_MOST;
    if (intake->manner->random) {
        intake->total = intake->count;
    } else if (intake->words) {
        for (int i = 0; i < intake->words_count; i++) intake->total += strlen(intake->words[i]) + 1;
    } else {
        if (!fstat(STDIN_FILENO, &about) && S_ISREG(about.st_mode)) {
            off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
            if (at >= 0 && about.st_size > at) intake->total = (uint64_t)(about.st_size - at);
        }
        intake->input = malloc(INPUT_ROOM);
        if (!intake->input) return -ENOMEM;
    }
    return 0;
}

void intake_close(struct intake *intake)
{
    free(intake->input);
    intake->input = NULL;
}

void intake_learn(struct intake *intake, const struct block *block)
{
    size_t had = intake->manner->random ? (size_t)block->count : block->text.size;
    double wanted = (double)had * (double)TARGET / (double)(block->took + 1);
    size_t size = wanted < (double)intake->most ? (size_t)wanted : intake->most;

    /* Never more than doubled: the next numbers may be dearer than those. */
    if (size > 2 * intake->size) size = 2 * intake->size;
    intake->size = size > intake->least ? size : intake->least;
    intake->taken += had;
}

static int fill_random(struct intake *intake, struct block *block)
{
    uint64_t left = intake->count - intake->next;

    block->first = intake->next;
    block->count = left < intake->size ? left : intake->size;
    intake->next += block->count;
    return block->count > 0;
}

static int put_text(struct block *block, const char *text, size_t size, char last)
{
    int status = bytes_reserve(&block->text, size + 1);
    if (status) return status;
    memcpy(block->text.data + block->text.size, text, size);
    block->text.size += size;
    block->text.data[block->text.size++] = last;
    return 1;
}

static int fill_words(struct intake *intake, struct block *block)
{
    int status = 0;

    do {
        if (intake->word == intake->words_count) break;
        const char *word = intake->words[intake->word++];
        status = put_text(block, word, strlen(word), 0);
    } while (status == 1 && block->text.size < intake->size);
    return status;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Where to cut the bytes at hand: behind the last space in the first `size` of them, or behind the
 * first space that there is. 0: nowhere, a word is not complete. */
static size_t find_cut(const struct intake *intake)
{
    const char *text = intake->input + intake->start;
    size_t have = intake->end - intake->start;
    size_t cut = have < intake->size ? have : intake->size;

    while (cut && !is_space(text[cut - 1])) cut--;
    if (cut) return cut;
    for (cut = intake->size; cut < have; cut++) {
        if (is_space(text[cut])) return cut + 1;
    }
    return 0;
}

static bool is_ready(int patience)
{
    struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

    return poll(&input, 1, patience) != 0;
}

static void read_more(struct intake *intake)
{
    if (intake->start) {
        memmove(intake->input, intake->input + intake->start, intake->end - intake->start);
        intake->end -= intake->start;
        intake->start = 0;
    }

    ssize_t got = read(STDIN_FILENO, intake->input + intake->end, INPUT_ROOM - intake->end);
    if (got > 0) {
        intake->end += (size_t)got;
    } else if (got == 0) {
        intake->ended = true;
    } else if (errno == EAGAIN) {
        is_ready(-1);
    } else if (errno != EINTR) {
        intake->status = -errno;
        intake->ended = true;
    }
}

/* A word that fills all the room there is: let its beginning, marked as no number, stand for it and
 * pass over the rest. */
static int cut_monster(struct intake *intake, struct block *block)
{
    int status = put_text(block, intake->input + intake->start, 100, '?');

    if (status == 1) status = put_text(block, "", 0, ' ');
    intake->start = intake->end = 0;
    intake->skipping = true;
    return status;
}

static void skip(struct intake *intake)
{
    while (intake->start < intake->end && intake->skipping)
        intake->skipping = !is_space(intake->input[intake->start++]);
}

static int fill_input(struct intake *intake, struct block *block)
{
    for (;;) {
        size_t have, cut;

        skip(intake);
        have = intake->end - intake->start;
        cut = find_cut(intake);
        /* Enough for a block, or all that is there for now. */
        if (cut && (have >= intake->size || intake->ended || !is_ready(0))) {
            const char *text = intake->input + intake->start;
            intake->start += cut;
            return put_text(block, text, cut, ' ');
        }
        if (intake->ended) {
            intake->start = intake->end;
            return have ? put_text(block, intake->input + intake->end - have, have, ' ') : 0;
        }
        if (have == INPUT_ROOM) return cut_monster(intake, block);
        if (!intake->waits && !is_ready(PATIENCE_MS)) {
            intake->waits = true; /* next time: read, however long that takes */
            return IL_STREAM_IDLE;
        }
        read_more(intake);
        intake->waits = false;
    }
}

int intake_fill(struct intake *intake, struct block *block)
{
    block->text.size = 0;
    if (intake->manner->random) return fill_random(intake, block);
    if (intake->words) return fill_words(intake, block);
    return fill_input(intake, block);
}
