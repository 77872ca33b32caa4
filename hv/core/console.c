/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's console: every message goes to the machine's UART
 * (arch_console_write) and to a ring that xl dmesg reads; input from the
 * UART waits in another ring for dom0. Uses lib/printf.c.
 * 1. The last RING_SIZE bytes before ring.produced are the ring's text.
 * 2. ring.cleared <= ring.produced, both only grow.
 * 3. Messages about guests are bounded: GUEST_BURST a second.
 * 4. Everything here may be called with any lock held and from a panic; but
 *    of what interrupts the hypervisor itself only who ends the machine, after
 *    console_break_lock().
 */
#include "core/arch.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/lock.h"
#include "lib/bug.h"
#include "lib/minmax.h"
#include "lib/printf.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define RING_SIZE 65536u
#define INPUT_SIZE 1024u
#define LINE_SIZE 256u
#define GUEST_BURST 32u
#define SECOND 1000000000ull

static spinlock_t console_lock = SPINLOCK_INIT(LOCK_RANK_CONSOLE);

static struct {
    char text[RING_SIZE];
    uint32_t produced;          /* bytes ever put; wraps at 2^32 */
    uint32_t cleared;           /* readers see nothing before it */
} ring;                         /* console_lock */

static struct {
    char text[INPUT_SIZE];
    uint32_t produced, consumed;
} input;                        /* console_lock */

static enum log_level hv_level = LOG_INFO;
static enum log_level guest_level = LOG_WARNING;

static struct {
    uint64_t second;            /* the second that count is about */
    uint32_t count, dropped;
} guest_rate;                   /* console_lock */

static bool is_panicking;
/* The machine ends: whoever has the lock may have been interrupted. */
static bool is_lock_broken;

void console_break_lock(void)
{
    __atomic_store_n(&is_lock_broken, true, __ATOMIC_SEQ_CST);
}

static bool lock_unless_broken(void)
{
    if (__atomic_load_n(&is_lock_broken, __ATOMIC_RELAXED)) {
        return false;
    }
    spin_lock(&console_lock);
    return true;
}

static void ring_put(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ring.text[ring.produced++ % RING_SIZE] = text[i];
    }
    if (ring.produced - ring.cleared > RING_SIZE) {
        ring.cleared = ring.produced - RING_SIZE;
    }
}

static void put(const char *text, size_t size)
{
    bool locked = lock_unless_broken();

    ring_put(text, size);
    arch_console_write(text, size);
    if (locked) {
        spin_unlock(&console_lock);
    }
}

static void put_line(const char *prefix, const char *fmt, va_list args)
{
    char line[LINE_SIZE];
    size_t length;
    int wanted;

    string_copy(line, prefix, sizeof(line));
    length = strlen(line);
    wanted = vsnprintf(line + length, sizeof(line) - length - 1, fmt, args);
    if (wanted < 0) {
        return;
    }
    length += min((size_t)wanted, sizeof(line) - length - 2);
    if (line[length - 1] != '\n') {
        line[length++] = '\n';
    }
    put(line, length);
}

void console_log(enum log_level level, const char *fmt, ...)
{
    va_list args;

    if (level > hv_level) {
        return;
    }
    va_start(args, fmt);
    put_line("(gantry) ", fmt, args);
    va_end(args);
}

/* True if one more message about guests may be printed in this second. */
static bool guest_may_log(uint32_t *dropped)
{
    uint64_t second = arch_time_now() / SECOND;
    bool may;

    *dropped = 0;
    spin_lock(&console_lock);
    if (guest_rate.second != second) {
        *dropped = guest_rate.dropped;
        guest_rate.second = second;
        guest_rate.count = 0;
        guest_rate.dropped = 0;
    }
    may = guest_rate.count < GUEST_BURST;
    if (may) {
        guest_rate.count++;
    } else {
        guest_rate.dropped++;
    }
    spin_unlock(&console_lock);
    return may;
}

void console_guest_log(enum log_level level, const struct domain *d,
                       const char *fmt, ...)
{
    char prefix[32];
    uint32_t dropped;
    va_list args;

    if (level > guest_level || !guest_may_log(&dropped)) {
        return;
    }
    if (dropped > 0) {
        console_log(LOG_WARNING, "%u messages about guests left out",
                    dropped);
    }
    snprintf(prefix, sizeof(prefix), "(gantry) d%u: ", d->id);
    va_start(args, fmt);
    put_line(prefix, fmt, args);
    va_end(args);
}

void console_write(const char *text, size_t size)
{
    put(text, size);
}

size_t console_read(char *buf, size_t size)
{
    size_t count = 0;

    spin_lock(&console_lock);
    while (count < size && input.consumed != input.produced) {
        buf[count++] = input.text[input.consumed++ % INPUT_SIZE];
    }
    spin_unlock(&console_lock);
    return count;
}

void console_input(char c)
{
    spin_lock(&console_lock);
    if (input.produced - input.consumed < INPUT_SIZE) {
        input.text[input.produced++ % INPUT_SIZE] = c;
    }
    spin_unlock(&console_lock);
}

size_t console_ring_read(char *buf, size_t size, uint32_t *index, bool clear)
{
    size_t count = 0;
    uint32_t from;

    spin_lock(&console_lock);
    from = *index;
    if (from - ring.cleared > ring.produced - ring.cleared) {
        from = ring.cleared;
    }
    while (count < size && from != ring.produced) {
        buf[count++] = ring.text[from++ % RING_SIZE];
    }
    *index = from;
    if (clear) {
        ring.cleared = ring.produced;
    }
    spin_unlock(&console_lock);
    return count;
}

void console_set_levels(enum log_level hv, enum log_level guest)
{
    hv_level = hv;
    guest_level = guest;
}

bool console_level_of(const char *word, enum log_level *out)
{
    static const struct {
        const char *word;
        enum log_level level;
    } words[] = {
        { "none", LOG_ERROR }, { "error", LOG_ERROR },
        { "warning", LOG_WARNING }, { "info", LOG_INFO },
        { "debug", LOG_DEBUG }, { "all", LOG_DEBUG },
    };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            *out = words[i].level;
            return true;
        }
    }
    return false;
}

void panic(const char *fmt, ...)
{
    bool first = !__atomic_exchange_n(&is_panicking, true, __ATOMIC_SEQ_CST);
    va_list args;

    console_break_lock();
    if (first) {
        va_start(args, fmt);
        put_line("(gantry) panic: ", fmt, args);
        va_end(args);
    }
    arch_panic_halt();
}

void bug_report(const char *file, int line, const char *what)
{
    panic("%s:%d: %s", file, line, what);
}
