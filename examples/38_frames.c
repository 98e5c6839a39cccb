/* SPDX-License-Identifier: MIT */
/*
 * Messages with a child: a function in a process of its own answers questions through its pipes, until
 * one kills it. What it left half said is told apart from a proper end, and another child goes on.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In the child: a frame of text in, its longest word out. */
static int answer(void *in, void *out)
{
    il_frames *frames = NULL;
    char text[256];
    size_t size;
    int status = il_frames_new(STDIN_FILENO, STDOUT_FILENO, NULL, &frames);
    while (!status) {
        status = il_frames_receive(frames, text, sizeof text - 1, IL_FOREVER, &size);
        if (status) break;
        text[size] = 0;
        if (!strcmp(text, "die")) {
            ssize_t half = write(STDOUT_FILENO, "\5\0\0\0hal", 7); /* of a frame of five bytes */
            if (half == 7) abort();
        }
        const char *longest = "";
        char *save;
        for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
            if (strlen(word) > strlen(longest)) longest = word;
        status = il_frames_send(frames, longest, strlen(longest), IL_FOREVER);
    }
    il_frames_free(frames);
    return status == -EPIPE ? 0 : status; /* no more questions */
}

typedef struct oracle {
    il_process *process;
    il_frames *frames;
} oracle;

static int open_oracle(oracle *one)
{
    il_process_opts opts = { .name = "oracle", .in = IL_PIPE, .out = IL_PIPE, .daemon = true };
    int status = il_process_call(answer, NULL, 0, 0, &opts, &one->process);
    return status ? status : il_frames_of_process(one->process, NULL, &one->frames);
}

/* Its own outcome. */
static int close_oracle(oracle *one)
{
    int status = il_frames_close(one->frames, il_after(IL_SEC(10)));
    if (!status) status = il_process_get(one->process, il_after(IL_SEC(10)), NULL);
    il_frames_free(one->frames);
    il_process_free(one->process);
    *one = (oracle){ NULL, NULL };
    return status;
}

static int ask(oracle *one, const char *question, char *reply, size_t size)
{
    size_t length = 0;
    il_time until = il_after(IL_SEC(10));
    int status = il_frames_send(one->frames, question, strlen(question), until);
    if (!status) status = il_frames_receive(one->frames, reply, size - 1, until, &length);
    if (!status) reply[length] = 0;
    return status;
}

int main(void)
{
    const char *questions[] = { "many small words and one enormous", "die", "still there ?" };
    const int expected[] = { 0, -EPROTO, 0 };
    oracle one = { NULL, NULL };
    int wrong = 0, status = open_oracle(&one);

    for (int i = 0; i < 3 && !status; i++) {
        char reply[100] = "";
        int said = ask(&one, questions[i], reply, sizeof reply);
        printf("%-35s %s\n", questions[i], said ? il_strerror(said) : reply);
        wrong += said != expected[i];
        if (!said) continue;
        int end = close_oracle(&one);
        printf("%-35s %s\n", "", il_last_error()->message);
        wrong += end != -EOWNERDEAD;
        status = open_oracle(&one);
    }
    if (!status) status = close_oracle(&one);
    return status || wrong;
}
