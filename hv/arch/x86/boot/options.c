/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's command line, in the reference's words. Parsed before
 * the console is up, so complaints are kept and reported later.
 * 1. A bad or unknown option is named and ignored; it never stops the boot.
 */
#include "boot/boot.h"
#include "core/console.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define COMPLAINTS 16
#define WORD_SIZE 96

struct boot_options boot_options;

static struct {
    char word[WORD_SIZE];
    bool is_known;
} complaints[COMPLAINTS];
static unsigned int complaint_count;

static enum log_level hv_level = LOG_INFO;
static enum log_level guest_level = LOG_WARNING;

/* Digits with an optional K, M, G, T (KiB without a letter: bare = 1024). */
static bool parse_size(const char *s, const char **end, uint64_t *out)
{
    static const char letters[] = "BKMGT";
    const char *letter;
    uint64_t value = 0;
    unsigned int shift = 10;

    if (*s < '0' || *s > '9') {
        return false;
    }
    while (*s >= '0' && *s <= '9') {
        value = value * 10 + (uint64_t)(*s++ - '0');
        if (value >> 44 != 0) {
            return false;
        }
    }
    if (*s != '\0' && *s != ',') {
        letter = strchr(letters, *s & ~0x20);
        if (letter == NULL || *letter == '\0') {
            return false;
        }
        shift = 10 * (unsigned int)(letter - letters);
        s++;
    }
    if (shift > 0 && value >> (64 - shift) != 0) {
        return false;
    }
    *out = value << shift;
    *end = s;
    return true;
}

/* 2560M, or a list of a size, min:size, max:size: the size, or the max. */
static bool parse_dom0_mem(const char *s)
{
    uint64_t exact = 0, least = 0, most = 0;

    for (;;) {
        uint64_t *to = &exact;

        if (strncmp(s, "min:", 4) == 0) {
            to = &least;
            s += 4;
        } else if (strncmp(s, "max:", 4) == 0) {
            to = &most;
            s += 4;
        }
        if (!parse_size(s, &s, to)) {
            return false;
        }
        if (*s == '\0') {
            break;
        }
        if (*s++ != ',') {
            return false;
        }
    }
    boot_options.dom0_mem = exact != 0 ? exact : most != 0 ? most : least;
    return true;
}

static bool parse_number(const char *s, uint32_t *out)
{
    uint32_t value = 0;

    if (*s < '0' || *s > '9') {
        return false;
    }
    while (*s >= '0' && *s <= '9' && value < 100000000) {
        value = value * 10 + (uint32_t)(*s++ - '0');
    }
    *out = value;
    return *s == '\0' || *s == ',';
}

static bool parse_dom0_max_vcpus(const char *s)
{
    return parse_number(s, &boot_options.dom0_max_vcpus)
           && boot_options.dom0_max_vcpus > 0;
}

/* first-last, or first-: the CPUs that run vcpus. */
static bool parse_sched_cpus(const char *s)
{
    const char *dash = strchr(s, '-');
    char first[16];

    if (dash == NULL || (size_t)(dash - s) >= sizeof(first)
        || strchr(s, ',') != NULL) {
        return false;
    }
    string_copy(first, s, (size_t)(dash - s) + 1);
    boot_options.sched_last = UINT32_MAX;
    boot_options.has_sched_cpus
        = parse_number(first, &boot_options.sched_first)
          && (dash[1] == '\0'
              || parse_number(dash + 1, &boot_options.sched_last))
          && boot_options.sched_first <= boot_options.sched_last;
    return boot_options.has_sched_cpus;
}

static bool parse_com1(const char *s)
{
    boot_options.has_com1 = true;
    if (*s == '\0' || strncmp(s, "auto", 4) == 0) {
        return true;
    }
    return parse_number(s, &boot_options.com1_baud)
           && boot_options.com1_baud > 0
           && boot_options.com1_baud <= 115200;
}

/* Several consoles may be listed; com1 is the one that we have. */
static bool parse_console(const char *s)
{
    const char *found = strstr(s, "com1");

    boot_options.console_com1 = found != NULL;
    return strcmp(s, "com1") == 0 || strcmp(s, "none") == 0
           || strcmp(s, "vga") == 0 || strcmp(s, "com1,vga") == 0
           || strcmp(s, "vga,com1") == 0;
}

/* A level, or lower/upper of which the upper counts. */
static bool parse_level(const char *s, enum log_level *out)
{
    const char *slash = strchr(s, '/');

    return console_level_of(slash != NULL ? slash + 1 : s, out);
}

static bool parse_loglvl(const char *s)
{
    return parse_level(s, &hv_level);
}

static bool parse_guest_loglvl(const char *s)
{
    return parse_level(s, &guest_level);
}

static bool parse_noreboot(const char *s)
{
    boot_options.noreboot = *s == '\0' || strcmp(s, "1") == 0
                            || strcmp(s, "yes") == 0;
    return true;
}

static bool parse_dom0(const char *s)
{
    return strcmp(s, "pvh") == 0;
}

static bool accept(const char *s)
{
    (void)s;
    return true;
}

static const struct {
    const char *name;
    bool (*parse)(const char *value);
} options[] = {
    { "com1", parse_com1 },
    { "console", parse_console },
    { "dom0", parse_dom0 },
    { "dom0-iommu", accept },
    { "dom0_max_vcpus", parse_dom0_max_vcpus },
    { "dom0_mem", parse_dom0_mem },
    { "guest_loglvl", parse_guest_loglvl },
    { "loglvl", parse_loglvl },
    { "noreboot", parse_noreboot },
    { "placeholder", accept },
    { "sched", accept },
    { "sched_cpus", parse_sched_cpus },
};

static void complain(const char *word, bool is_known)
{
    if (complaint_count < COMPLAINTS) {
        string_copy(complaints[complaint_count].word, word, WORD_SIZE);
        complaints[complaint_count++].is_known = is_known;
    }
}

static void parse_word(char *word)
{
    char copy[WORD_SIZE];
    char *value;

    string_copy(copy, word, sizeof(copy));
    value = strchr(copy, '=');
    if (value != NULL) {
        *value++ = '\0';
    } else {
        value = copy + strlen(copy);
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(options); i++) {
        if (strcmp(copy, options[i].name) == 0) {
            if (!options[i].parse(value)) {
                complain(word, true);
            }
            return;
        }
    }
    complain(copy, false);
}

void boot_options_parse(void)
{
    const char *s = boot_info.command_line;
    char word[WORD_SIZE];

    complaint_count = 0;
    boot_options.com1_baud = 115200;
    boot_options.console_com1 = true;
    while (*s != '\0') {
        size_t length = 0;

        while (*s == ' ') {
            s++;
        }
        while (*s != '\0' && *s != ' ') {
            if (length < sizeof(word) - 1) {
                word[length++] = *s;
            }
            s++;
        }
        word[length] = '\0';
        if (length > 0) {
            parse_word(word);
        }
    }
    console_set_levels(hv_level, guest_level);
}

void boot_options_report(void)
{
    for (unsigned int i = 0; i < complaint_count; i++) {
        console_log(LOG_WARNING, complaints[i].is_known
                    ? "Bad option \"%s\": ignored"
                    : "Unknown option \"%s\": ignored",
                    complaints[i].word);
    }
}
