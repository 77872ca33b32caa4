/* SPDX-License-Identifier: GPL-2.0-only */
/* options: the command line of the hypervisor, good, bad and unknown. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "boot/boot.h"
#include "core/console.h"
#include "unit.h"

struct boot_info boot_info;

static char printed[1024];

void console_log(enum log_level level, const char *fmt, ...)
{
    size_t length = strlen(printed);
    va_list args;

    (void)level;
    va_start(args, fmt);
    vsnprintf(printed + length, sizeof(printed) - length, fmt, args);
    va_end(args);
}

void console_set_levels(enum log_level hv, enum log_level guest)
{
    (void)hv;
    (void)guest;
}

bool console_level_of(const char *word, enum log_level *out)
{
    *out = LOG_DEBUG;
    return strcmp(word, "all") == 0;
}

static void parse(const char *line)
{
    printed[0] = '\0';
    memset(&boot_options, 0, sizeof(boot_options));
    snprintf(boot_info.command_line, sizeof(boot_info.command_line), "%s",
             line);
    boot_options_parse();
    boot_options_report();
}

START_TEST(good)
{
    parse("com1=115200,8n1 console=com1 dom0=pvh dom0_mem=2560M,max:2560M "
          "dom0_max_vcpus=2 sched=credit loglvl=all guest_loglvl=all/all "
          "sched_cpus=1-2 noreboot");
    ck_assert_str_eq(printed, "");
    ck_assert_uint_eq(boot_options.dom0_mem, 2560ull << 20);
    ck_assert_uint_eq(boot_options.dom0_max_vcpus, 2);
    ck_assert_uint_eq(boot_options.com1_baud, 115200);
    ck_assert(boot_options.noreboot);
    ck_assert(boot_options.has_sched_cpus);
    ck_assert_uint_eq(boot_options.sched_first, 1);
    ck_assert_uint_eq(boot_options.sched_last, 2);
}
END_TEST

START_TEST(memory_forms)
{
    parse("dom0_mem=1G");
    ck_assert_uint_eq(boot_options.dom0_mem, 1ull << 30);
    parse("dom0_mem=max:3G");
    ck_assert_uint_eq(boot_options.dom0_mem, 3ull << 30);
    parse("dom0_mem=min:1G,max:2G");
    ck_assert_uint_eq(boot_options.dom0_mem, 2ull << 30);
    parse("dom0_mem=1024");
    ck_assert_uint_eq(boot_options.dom0_mem, 1ull << 20);
    ck_assert_str_eq(printed, "");
}
END_TEST

START_TEST(bad)
{
    parse("dom0_mem=lots");
    ck_assert_str_eq(printed, "Bad option \"dom0_mem=lots\": ignored");
    parse("dom0_mem=99999999999999999999G");
    ck_assert_str_ne(printed, "");
    parse("dom0=pv");
    ck_assert_str_eq(printed, "Bad option \"dom0=pv\": ignored");
    parse("frobnicate=1");
    ck_assert_str_eq(printed, "Unknown option \"frobnicate\": ignored");
    parse("com1=0");
    ck_assert_str_eq(printed, "Bad option \"com1=0\": ignored");
}
END_TEST

START_TEST(cpus_for_vcpus)
{
    static const char *const wrong[] = {
        "sched_cpus=1", "sched_cpus=-1", "sched_cpus=2-1", "sched_cpus=1-2,3",
        "sched_cpus=1-x", "sched_cpus=99999999999999999999-",
    };

    parse("sched_cpus=1-");
    ck_assert_str_eq(printed, "");
    ck_assert(boot_options.has_sched_cpus);
    ck_assert_uint_eq(boot_options.sched_last, UINT32_MAX);
    for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        parse(wrong[i]);
        ck_assert_str_ne(printed, "");
        ck_assert(!boot_options.has_sched_cpus);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("options");
    TCase *all = unit_case(suite, "all");

    tcase_add_test(all, good);
    tcase_add_test(all, memory_forms);
    tcase_add_test(all, bad);
    tcase_add_test(all, cpus_for_vcpus);
    return unit_run(suite);
}
