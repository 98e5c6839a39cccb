/* SPDX-License-Identifier: MIT */
/* How fast one host is asked; crawl/pace.h says how that is learnt. */

#include "crawl/pace.h"

#define LONGEST_PAUSE IL_SEC(120) /* a host that asks for more is given up */
#define LONGEST_GAP IL_SEC(60)
#define LONG_PAUSE IL_SEC(2)
#define SHORTEST_PAUSE IL_MS(100)
#define SHORTEST_GAP IL_MS(1) /* below it there is none */

enum { PATIENCE = 100, BOLD_PATIENCE = 8, MOST_BARREN = 5 };

void pace_init(struct pace *pace, unsigned most)
{
    *pace = (struct pace){ .most = most, .width = 1, .patience = PATIENCE };
}

void pace_delay(struct pace *pace, int64_t gap)
{
    pace->least_gap = gap < LONGEST_GAP ? gap : LONGEST_GAP;
    if (gap) pace->most = pace->width = 1;
}

static int64_t gap_of(const struct pace *pace)
{
    return pace->gap > pace->least_gap ? pace->gap : pace->least_gap;
}

il_time pace_when(const struct pace *pace)
{
    return pace->under_way >= pace->width ? IL_FOREVER : pace->next;
}

void pace_start(struct pace *pace, il_time now)
{
    if (!pace->began) pace->began = now;
    pace->under_way++;
    if (pace->next < now + gap_of(pace)) pace->next = now + gap_of(pace);
}

/* Try a shorter gap: with great steps while the rate is known to be low, then with small ones. */
static void go_faster(struct pace *pace)
{
    pace->gap = pace->bold ? pace->gap / 2 : pace->gap / 20 * 19;
    if (pace->gap < SHORTEST_GAP) pace->gap = 0;
    pace->steady = 0;
}

void pace_good(struct pace *pace, il_time started)
{
    pace->under_way--;
    if (started >= pace->limited_at) pace->good++;
    pace->steady++;
    pace->barren = 0;
    if (pace->width < pace->most) pace->width++;
    if (pace->gap && pace->steady >= (pace->bold ? BOLD_PATIENCE : pace->patience)) go_faster(pace);
}

void pace_failed(struct pace *pace, il_time now)
{
    pace->under_way--;
    pace->width = (pace->width + 1) / 2;
    if (pace->next < now + SHORTEST_PAUSE) pace->next = now + SHORTEST_PAUSE;
}

static int64_t pause_of(const struct pace *pace, int64_t retry_after)
{
    if (retry_after >= 0) return retry_after > SHORTEST_PAUSE ? retry_after : SHORTEST_PAUSE;
    return IL_SEC(1) << pace->barren;
}

/* One step back, when the gap was tried for a while; otherwise what the cycle gave, a tenth longer. In
 * any case longer than the one that was too short. */
static int64_t learn(const struct pace *pace, int64_t length)
{
    int64_t longer = pace->gap / 4 * 5, learnt;

    if (pace->gap && pace->good >= BOLD_PATIENCE) learnt = pace->bold ? pace->gap / 4 * 9 : longer;
    else learnt = pace->good ? length / pace->good / 9 * 10 : 2 * pace->gap;
    if (!learnt) learnt = length;
    if (learnt < longer) learnt = longer;
    return learnt < LONGEST_GAP ? learnt : LONGEST_GAP;
}

void pace_limited(struct pace *pace, il_time started, il_time now, int64_t retry_after)
{
    pace->under_way--;
    if (started < pace->limited_at) { /* sent before we knew */
        if (retry_after > 0 && retry_after <= LONGEST_PAUSE && now + retry_after > pace->next)
            pace->next = now + retry_after;
        return;
    }
    if (!pace->good) pace->barren++;
    int64_t pause = pause_of(pace, retry_after);
    if (pause > LONGEST_PAUSE || pace->barren >= MOST_BARREN) {
        pace->given_up = true;
        return;
    }
    bool again = pace->gap != 0;
    pace->gap = learn(pace, now + pause - pace->began);
    pace->bold = !again && pause > LONG_PAUSE;
    if (again && pace->patience < UINT32_MAX / 2) pace->patience *= 2;
    pace->width = (pace->width + 1) / 2;
    pace->next = now + pause;
    pace->began = pace->limited_at = pace->next; /* what starts until then does not: all is older */
    pace->good = pace->steady = 0;
}
