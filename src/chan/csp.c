/* SPDX-License-Identifier: MIT */
/* Processes: scopes and channels under the names that CSP gave them. Nothing here knows more than a
 * user of the library could. */

#include <interlock/csp.h>

#include <errno.h>

int il_par_many(il_executor *executor, const il_csp_process *processes, size_t count)
{
    il_scope *scope = NULL;
    int status = il_scope_open(&(il_scope_opts){ .executor = executor, .name = "par" }, &scope);
    if (status) return status;
    for (size_t i = 0; !status && i < count; i++)
        status = il_go(scope, processes[i].fn, processes[i].in, processes[i].out);
    if (status) il_scope_cancel(scope); /* the others might wait for the one that is missing */
    int closed = il_scope_close(scope);
    return status && status != -ECANCELED ? status : closed;
}

int il_seq_many(const il_csp_process *processes, size_t count)
{
    int status = 0;
    for (size_t i = 0; !status && i < count; i++)
        status =
            i && il_cancelled() ? -ECANCELED : processes[i].fn(processes[i].in, processes[i].out);
    return status;
}

int il_poison_many(int status, il_chan *const *ends, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ends[i]) il_chan_close(ends[i]);
    return status == -EPIPE ? 0 : status;
}
