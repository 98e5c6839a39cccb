/* SPDX-License-Identifier: MIT */
/*
 * Events by name: a thermometer that tells of what it measures, and those who listen. One listens
 * once, one stops listening in the middle, one fails, and the error handler hears of it.
 */
#include <errno.h>
#include <interlock.h>
#include <stdio.h>

static int show(il_emitter *emitter, const char *event, void *data, void *arg)
{
    printf("  %-5s %3d degrees\n", event, *(int *)data);
    ++*(int *)arg;
    return 0;
}

static int greet(il_emitter *emitter, const char *event, void *data, void *arg)
{
    printf("  the first value is there\n");
    ++*(int *)arg;
    return 0;
}

/* Warns until it is hot, then wants to hear no more: it may remove itself while it is called. */
static int warn(il_emitter *emitter, const char *event, void *data, void *arg)
{
    if (*(int *)data < 90) return 0;
    il_emitter_off(emitter, event, warn, arg);
    return il_emitter_emit(emitter, "alarm", data, NULL);
}

static int store(il_emitter *emitter, const char *event, void *data, void *arg)
{
    return *(int *)data < 0 ? il_fail(-EINVAL, "no such temperature: %d", *(int *)data) : 0;
}

static int complain(il_emitter *emitter, const char *event, void *data, void *arg)
{
    const il_emitter_failure *failure = data;
    printf("  a handler of '%s' failed: %s\n", failure->event, failure->error->message);
    ++*(int *)arg;
    return 0;
}

int main(void)
{
    int values[] = { 20, 95, -300, 99 };
    int shown = 0, greeted = 0, alarms = 0, errors = 0;
    il_emitter *heat = NULL;

    int status = il_emitter_new(&heat);
    if (!status) status = il_emitter_on(heat, "value", show, &shown);
    if (!status) status = il_emitter_once(heat, "value", greet, &greeted);
    if (!status) status = il_emitter_on(heat, "value", warn, NULL);
    if (!status) status = il_emitter_on(heat, "value", store, NULL);
    if (!status) status = il_emitter_on(heat, "alarm", show, &alarms);
    if (!status) status = il_emitter_on(heat, IL_EMITTER_ERROR, complain, &errors);
    for (int i = 0; i < 4 && !status; i++)
        status = il_emitter_emit(heat, "value", &values[i], NULL);
    il_emitter_free(heat);

    printf("%s: %d values, %d alarm, %d error\n", il_strerror(status), shown, alarms, errors);
    return status || shown != 4 || greeted != 1 || alarms != 1 || errors != 1;
}
