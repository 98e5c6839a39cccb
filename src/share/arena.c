/* SPDX-License-Identifier: MIT */
/*
 * Arenas: opening and closing, members, blocks, objects. README.md has the argument.
 *
 * `list` is of the arenas that are open in this process; it and their `refs` are guarded by `lock`,
 * which is held over opening, so that two threads that open one arena get the same. Order: lock,
 * then a ledger.
 *
 * A handle leads through /proc to the descriptor of the process that gave it. So nothing has to be
 * sent along with it, and it works for whatever process of ours gets to see it, however it came to be.
 */

#include "share/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <interlock/cpu.h>
#include <interlock/status.h>

#include "base/fatal.h"
#include "base/memory.h"
#include "os/futex.h"
#include "os/peer.h"
#include "os/random.h"
#include "os/shared.h"
#include "wait/thread_agent.h"

#define MAGIC UINT64_C(0x316e6572412e6c49)
enum { DEFAULT_SIZE = 16 << 20, LEAST_ROOM = 4096, UNIT = 32 };

/* What the words of a handle are. */
enum { WHO, WHERE, ID, ID_2, SIZE, PLACE, SERIAL };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static il_arena *list;

int il__arena_check(const il_arena *arena)
{
    if (il__likely(arena->forks == il__forks)) return 0;
    il_fail(-EPERM, "the arena was opened by the process that this one was forked from");
    return -EPERM;
}

/* --- Members ---------------------------------------------------------------------------------- */

static void note_arrival(il_arena *arena)
{
    il__add(&arena->head->arrivals, 1);
    il__bell_ring_everybody(arena);
}

/* Of the members that have a place, the first that has none. */
static uint32_t free_index(const il__arena_head *head)
{
    uint32_t index = 0;
    while (index < IL__MEMBERS && head->members[index].serial) index++;
    return index;
}

static int enter(il_arena *arena)
{
    il__arena_head *head = arena->head;
    il__ledger *ledger = &head->ledger;
    uint64_t started = il__peer_started(getpid());
    if (!started) return -EMFILE;
    il__ledger_lock(ledger);
    uint32_t index = free_index(head);
    if (index == IL__MEMBERS) {
        il__ledger_unlock(ledger);
        return -EAGAIN;
    }
    il__member *member = &head->members[index];
    uint64_t serial = head->last_serial + 1;
    il__set(ledger, &head->last_serial, serial);
    il__store(&member->sleepers, 0); /* of one who died there */
    il__set(ledger, &member->pid, (uint64_t)getpid());
    il__set(ledger, &member->started, started);
    il__set(ledger, &member->serial, serial);
    il__ledger_unlock(ledger);
    arena->index = index;
    arena->serial = serial;
    note_arrival(arena);
    return 0;
}

static const il__class *const classes[] = {
    [IL__CHAN] = &il__chan_class,
    [IL__SPACE] = &il__space_class,
    [IL__SEM] = &il__sem_class,
};

static bool is_only_user(const il__object *object, uint32_t index)
{
    uint64_t others = 0;
    for (uint32_t i = 0; i < IL__MEMBERS / 64; i++)
        others |= object->users.bits[i] & ~(i == index / 64 ? UINT64_C(1) << index % 64 : 0);
    return !others;
}

/* One user less of the object that *link leads to; the last takes it along. Is it still there? The
 * head's ledger is locked. Whoever is killed on the way is still a user. */
static bool drop_user(il__arena_head *head, uint64_t *link, uint32_t index)
{
    uint64_t place = *link;
    il__object *object = il__at(head, place);
    classes[object->kind]->bury(head, object, index);
    if (!is_only_user(object, index)) {
        il__crowd_set(&head->ledger, &object->users, index, false);
        return true;
    }
    if (classes[object->kind]->empty) classes[object->kind]->empty(head, object);
    il__set(&head->ledger, link, object->next);
    il__piece_give(head, place);
    return false;
}

void il__member_bury(il_arena *arena, uint32_t index, uint64_t serial, bool died)
{
    il__arena_head *head = arena->head;
    il__ledger *ledger = &head->ledger;
    il__ledger_lock(ledger);
    il__member *member = &head->members[index];
    if (member->serial != serial) { /* somebody else was quicker */
        il__ledger_unlock(ledger);
        return;
    }
    for (uint64_t *link = &head->objects; *link;) {
        il__object *object = il__at(head, *link);
        bool stays = true;
        if (il__crowd_has(&object->users, index)) stays = drop_user(head, link, index);
        il__ledger_commit(ledger); /* each is a step of its own, that need not be done again */
        if (stays) link = &object->next;
    }
    il__set(ledger, &member->serial, 0);
    if (died) il__set(ledger, &head->deaths, head->deaths + 1);
    il__ledger_unlock(ledger);
    note_arrival(arena);
}

/* --- Opening and closing ------------------------------------------------------------------------ */

static il_arena *new_local(void *memory, size_t size, int descriptor)
{
    il_arena *arena = il__zalloc(sizeof *arena);
    if (!arena) return NULL;
    *arena = (il_arena){
        .head = memory,
        .size = size,
        .descriptor = descriptor,
        .forks = il__forks,
        .refs = 1,
        .spins = il_cpu_count(NULL) > 1,
        .direct = il__futex_can_wait_either(),
    };
    pthread_mutex_init(&arena->listening, NULL);
    pthread_mutex_init(&arena->watching, NULL);
    return arena;
}

static void free_local(il_arena *arena)
{
    il__shared_unmap(arena->head, arena->size);
    close(arena->descriptor);
    pthread_mutex_destroy(&arena->listening);
    pthread_mutex_destroy(&arena->watching);
    il__free(arena);
}

/* Make an arena of what is mapped, and become a member. With the list locked. */
static int join(void *memory, size_t size, int descriptor, il_arena **out_arena)
{
    il_arena *arena = new_local(memory, size, descriptor);
    if (!arena) {
        il__shared_unmap(memory, size);
        close(descriptor);
        return -ENOMEM;
    }
    int status = enter(arena);
    if (status == -EAGAIN) { /* of the many, are there some that are no more? */
        il__peers_look(arena);
        status = enter(arena);
    }
    if (status) {
        il__bell_close(arena);
        free_local(arena);
        return status;
    }
    arena->next = list;
    list = arena;
    *out_arena = arena;
    return 0;
}

int il_arena_new(const il_arena_opts *opts, il_arena **out_arena)
{
    static const il_arena_opts defaults;
    if (!opts) opts = &defaults;
    size_t size = opts->size ? opts->size : DEFAULT_SIZE, page = 4096;
    if (size > PTRDIFF_MAX - page) return -ENOMEM;
    size = (size + page - 1) / page * page;
    if (size < sizeof(il__arena_head) + LEAST_ROOM)
        return il_fail(-EINVAL, "an arena of %zu bytes has no room for what is in it", size);

    void *memory;
    int descriptor;
    int status = il__shared_new(opts->name ? opts->name : "interlock", size, &memory, &descriptor);
    if (status) return status;
    il__arena_head *head = memory;
    head->size = size;
    il__random(head->id, sizeof head->id);
    il__ledger_init(&head->ledger);
    il__pieces_init(head, (sizeof *head + UNIT - 1) / UNIT * UNIT);
    il__ledger_commit(&head->ledger);
    il__store_release(&head->magic, MAGIC);
    pthread_mutex_lock(&lock);
    status = join(memory, size, descriptor, out_arena);
    pthread_mutex_unlock(&lock);
    return status;
}

static il_arena *find_open(const uint64_t *id)
{
    for (il_arena *arena = list; arena; arena = arena->next)
        if (arena->forks == il__forks && !memcmp(arena->head->id, id, sizeof arena->head->id))
            return arena;
    return NULL;
}

/* Is this an arena, and the one that is meant? */
static bool is_it(const il__arena_head *head, const il_handle *handle)
{
    return il__load_acquire(&head->magic) == MAGIC && head->size == handle->words[SIZE] &&
           !memcmp(head->id, &handle->words[ID], sizeof head->id);
}

static int open_file(const il_handle *handle, int *out_descriptor)
{
    char path[64];
    struct stat info;
    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)handle->words[WHO],
             (int)handle->words[WHERE]);
    if (il__refused()) return -EMFILE;
    int descriptor = open(path, O_RDWR | O_CLOEXEC);
    if (descriptor < 0 && (errno == EACCES || errno == EMFILE)) return -errno;
    if (descriptor < 0) return -EOWNERDEAD;
    if (fstat(descriptor, &info) || !S_ISREG(info.st_mode) ||
        (uint64_t)info.st_size != handle->words[SIZE]) {
        close(descriptor);
        return -EOWNERDEAD;
    }
    *out_descriptor = descriptor;
    return 0;
}

/* With the list locked. */
static int open_anew(const il_handle *handle, il_arena **out_arena)
{
    size_t size = (size_t)handle->words[SIZE];
    int descriptor = -1;
    if (size < sizeof(il__arena_head) + LEAST_ROOM) return -EINVAL;
    int status = open_file(handle, &descriptor);
    if (status == -EOWNERDEAD)
        il_fail(status, "process %ld, which gave the handle, has ended or has closed the arena",
                (long)handle->words[WHO]);
    if (status) return status;
    void *memory = il__shared_map(descriptor, size, NULL);
    if (memory && is_it(memory, handle)) return join(memory, size, descriptor, out_arena);
    if (memory) il__shared_unmap(memory, size);
    close(descriptor);
    if (!memory) return -ENOMEM;
    il_fail(-EOWNERDEAD, "who gave the handle has closed the arena");
    return -EOWNERDEAD;
}

int il_arena_open(const il_handle *handle, il_arena **out_arena)
{
    int status = 0;
    pthread_mutex_lock(&lock);
    il_arena *arena = find_open(&handle->words[ID]);
    if (arena) {
        arena->refs++;
        *out_arena = arena;
    } else {
        status = open_anew(handle, out_arena);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static void take_off_list(const il_arena *arena)
{
    il_arena **link = &list;
    while (*link != arena) link = &(*link)->next;
    *link = arena->next;
}

void il_arena_free(il_arena *arena)
{
    if (!arena || arena->forks != il__forks) return; /* the process that opened it sees to it */
    pthread_mutex_lock(&lock);
    bool last = !--arena->refs;
    if (last) take_off_list(arena);
    pthread_mutex_unlock(&lock);
    if (!last) return;
    il__bell_close(arena);
    il__member_bury(arena, arena->index, arena->serial, false);
    free_local(arena);
}

static il_handle handle_of(const il_arena *arena)
{
    return (il_handle){ {
        [WHO] = (uint64_t)getpid(),
        [WHERE] = (uint64_t)arena->descriptor,
        [ID] = arena->head->id[0],
        [ID_2] = arena->head->id[1],
        [SIZE] = arena->size,
    } };
}

il_handle il_arena_handle(il_arena *arena)
{
    return handle_of(arena);
}

/* --- Blocks ------------------------------------------------------------------------------------ */

void *il_arena_alloc(il_arena *arena, size_t size)
{
    il__arena_head *head = arena->head;
    if (il__refused() || il__arena_check(arena)) return NULL;
    il__ledger_lock(&head->ledger);
    uint64_t place = il__piece_take(head, size, arena->serial);
    il__ledger_unlock(&head->ledger);
    return il__at(head, place);
}

static il__piece *piece_of(il_arena *arena, const void *block)
{
    il__piece *piece = il__piece_of(arena->head, il__place_of(arena->head, block));
    if (!piece) il__fatal("%p is no block of the arena at %p", block, (void *)arena->head);
    return piece;
}

void il_arena_dealloc(il_arena *arena, void *block)
{
    if (!block || il__arena_check(arena)) return;
    il__ledger_lock(&arena->head->ledger);
    piece_of(arena, block);
    il__piece_give(arena->head, il__place_of(arena->head, block));
    il__ledger_unlock(&arena->head->ledger);
}

uint64_t il_arena_place(const il_arena *arena, const void *address)
{
    uint64_t place = il__place_of(arena->head, address);
    return address && place < arena->size ? place : 0;
}

void *il_arena_at(const il_arena *arena, uint64_t place)
{
    return place < arena->size ? il__at(arena->head, place) : NULL;
}

static void set_holder(il_arena *arena, void *block, uint64_t serial)
{
    if (il__arena_check(arena)) return;
    il__ledger_lock(&arena->head->ledger);
    il__set(&arena->head->ledger, &piece_of(arena, block)->holder, serial);
    il__ledger_unlock(&arena->head->ledger);
}

void il_arena_adopt(il_arena *arena, void *block)
{
    set_holder(arena, block, arena->serial);
}

void il_arena_disown(il_arena *arena, void *block)
{
    set_holder(arena, block, 0);
}

struct orphans {
    uint64_t *places;
    size_t capacity, count;
    bool release;
};

static bool lives(const il__arena_head *head, uint64_t serial)
{
    for (uint32_t i = 0; i < IL__MEMBERS; i++)
        if (head->members[i].serial == serial) return true;
    return false;
}

static bool see_orphan(il__arena_head *head, uint64_t place, void *arg)
{
    struct orphans *orphans = arg;
    uint64_t holder = ((il__piece *)il__at(head, place))[-1].holder;
    if (!holder || lives(head, holder)) return false;
    if (orphans->count++ < orphans->capacity) orphans->places[orphans->count - 1] = place;
    if (!orphans->release) return false;
    il__piece_give(head, place);
    il__ledger_commit(&head->ledger);
    return true;
}

static size_t visit_orphans(il_arena *arena, struct orphans orphans)
{
    if (il__arena_check(arena)) return 0;
    il__peers_look(arena);
    il__ledger_lock(&arena->head->ledger);
    il__pieces_visit(arena->head, see_orphan, &orphans);
    il__ledger_unlock(&arena->head->ledger);
    return orphans.count;
}

size_t il_arena_orphans(il_arena *arena, uint64_t *out_places, size_t capacity)
{
    return visit_orphans(arena, (struct orphans){ .places = out_places, .capacity = capacity });
}

size_t il_arena_dealloc_orphans(il_arena *arena)
{
    return visit_orphans(arena, (struct orphans){ .release = true });
}

void il_arena_describe(il_arena *arena, il_arena_info *out_info)
{
    il__arena_head *head = arena->head;
    il_arena_info info = { .size = arena->size, .orphans = il_arena_orphans(arena, NULL, 0) };
    il__ledger_lock(&head->ledger);
    info.used = head->used;
    info.peak = head->peak;
    info.blocks = head->blocks;
    info.largest = il__pieces_largest(head);
    info.deaths = (unsigned long)head->deaths;
    info.repairs = (unsigned long)head->ledger.repairs;
    for (uint32_t i = 0; i < IL__MEMBERS; i++) info.processes += head->members[i].serial != 0;
    il__ledger_unlock(&head->ledger);
    *out_info = info;
}

/* --- Objects ------------------------------------------------------------------------------------ */

il_handle il__object_handle(il_arena *arena, const il__object *object)
{
    il_handle handle = handle_of(arena);
    handle.words[PLACE] = il__place_of(arena->head, object);
    handle.words[SERIAL] = object->serial;
    return handle;
}

static void add_opened(il_arena *arena, il__opened *opened, il__object *object)
{
    opened->arena = arena;
    opened->object = object;
    opened->serial = object->serial;
    opened->refs = 1;
    opened->next = arena->opened;
    arena->opened = opened;
}

static void leave(il_arena *arena, il__object *object)
{
    il__arena_head *head = arena->head;
    uint64_t place = il__place_of(head, object), *link = &head->objects;
    il__ledger_lock(&head->ledger);
    while (*link != place) link = &((il__object *)il__at(head, *link))->next;
    drop_user(head, link, arena->index);
    il__ledger_unlock(&head->ledger);
    il__bell_ring_everybody(arena); /* what we held has come back */
}

static void remove_opened(il__opened *opened)
{
    il__opened **link = &opened->arena->opened;
    while (*link != opened) link = &(*link)->next;
    *link = opened->next;
    leave(opened->arena, opened->object);
}

static void release(const il__class *class, il__opened *opened)
{
    if (class->release) class->release(opened);
    il__free(opened);
}

/* It is a user's: make our end of it. With the list locked. */
static int open_end(il_arena *arena, il__object *object, il__opened *opened)
{
    const il__class *class = classes[object->kind];
    add_opened(arena, opened, object);
    int status = class->prepare ? class->prepare(opened) : 0;
    if (!status) return 0;
    remove_opened(opened);
    release(class, opened);
    return status;
}

static il__object *new_object(il_arena *arena, const il__making *making)
{
    il__arena_head *head = arena->head;
    il__ledger *ledger = &head->ledger;
    il__ledger_lock(ledger);
    uint64_t place = il__piece_take(head, making->size, 0);
    il__object *object = il__at(head, place);
    if (object) {
        *object = (il__object){ .kind = making->kind,
                                .serial = head->last_serial + 1,
                                .next = head->objects };
        object->users.bits[arena->index / 64] |= UINT64_C(1) << arena->index % 64;
        making->fill(object, making->arg);
        il__set(ledger, &head->last_serial, object->serial);
        il__set(ledger, &head->objects, place);
    }
    il__ledger_unlock(ledger);
    return object;
}

int il__object_new(il_arena *arena, const il__making *making, il__opened **out_opened)
{
    int status = il__arena_check(arena);
    if (status) return status;
    il__opened *opened = il__zalloc(classes[making->kind]->size);
    if (!opened) return -ENOMEM;
    pthread_mutex_lock(&lock);
    il__object *object = new_object(arena, making);
    status = object ? open_end(arena, object, opened) : -ENOMEM;
    if (!status) arena->refs++;
    pthread_mutex_unlock(&lock);
    if (!object) il__free(opened);
    if (!status) *out_opened = opened;
    return status;
}

static il__opened *find_opened(const il_arena *arena, const il_handle *handle)
{
    il__opened *opened = arena->opened;
    while (opened && opened->serial != handle->words[SERIAL]) opened = opened->next;
    return opened;
}

static il__object *find_object(const il__arena_head *head, const il_handle *handle)
{
    for (uint64_t place = head->objects; place;) {
        il__object *object = il__at(head, place);
        if (place == handle->words[PLACE] && object->serial == handle->words[SERIAL]) return object;
        place = object->next;
    }
    return NULL;
}

/* Become a user of it; NULL: it is no more. */
static il__object *use_object(il_arena *arena, const il_handle *handle)
{
    il__ledger *ledger = &arena->head->ledger;
    il__ledger_lock(ledger);
    il__object *object = find_object(arena->head, handle);
    if (object) il__crowd_set(ledger, &object->users, arena->index, true);
    il__ledger_unlock(ledger);
    return object;
}

/* With the list locked. */
static int open_first(il_arena *arena, const il_handle *handle, il__object_kind kind,
                      il__opened **out_opened)
{
    il__object *object = use_object(arena, handle);
    if (!object) return -ENOENT;
    il__opened *opened = object->kind == kind ? il__zalloc(classes[kind]->size) : NULL;
    if (!opened) {
        leave(arena, object);
        return object->kind == kind ? -ENOMEM : -EINVAL;
    }
    int status = open_end(arena, object, opened);
    if (!status) *out_opened = opened;
    return status;
}

int il__object_open(const il_handle *handle, il__object_kind kind, il__opened **out_opened)
{
    il_arena *arena = NULL;
    if (!handle->words[PLACE]) return -EINVAL;
    int status = il_arena_open(handle, &arena);
    if (status) return status;
    pthread_mutex_lock(&lock);
    il__opened *opened = find_opened(arena, handle);
    bool again = opened != NULL;
    if (!again) status = open_first(arena, handle, kind, out_opened);
    else if (opened->object->kind != kind) status = -EINVAL;
    else ++(*out_opened = opened)->refs;
    pthread_mutex_unlock(&lock);
    if (status || again) il_arena_free(arena); /* the first keeps its reference */
    return status;
}

void il__object_free(il__opened *opened)
{
    il_arena *arena = opened->arena;
    if (arena->forks != il__forks) return; /* the process that opened it sees to it */
    const il__class *class = classes[opened->object->kind];
    pthread_mutex_lock(&lock);
    bool last = !--opened->refs;
    if (last) remove_opened(opened);
    pthread_mutex_unlock(&lock);
    if (!last) return;
    release(class, opened);
    il_arena_free(arena);
}
