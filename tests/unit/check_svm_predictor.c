/* SPDX-License-Identifier: GPL-2.0-only */
/* svm/predictor.c: a barrier between domains, and only there. */
#define X86_INSN_H                  /* none of the machine's instructions */

#include <stdint.h>

static unsigned int barriers;

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    barriers += msr == 0x49 && value == 1;
}

#include "../../hv/arch/x86/svm/predictor.c"
#include "unit.h"

struct svm_features svm_features;

static struct cpu cpu;
static struct domain a, b;

static unsigned int barriers_at(const struct domain *d)
{
    barriers = 0;
    svm_predictor_switch(&cpu, d);
    return barriers;
}

static void setup(void)
{
    svm_features.has_ibpb = true;
    cpu.predictor_domain = NULL;
    (void)barriers_at(&a);
}

START_TEST(between_domains_only)
{
    ck_assert_uint_eq(barriers_at(&a), 0);
    ck_assert_uint_eq(barriers_at(&b), 1);
    ck_assert_uint_eq(barriers_at(&b), 0);
    ck_assert_uint_eq(barriers_at(&a), 1);
}
END_TEST

/* A new domain in the memory of one that is gone is another domain. */
START_TEST(a_domain_that_went_is_forgotten)
{
    svm_predictor_forget(&cpu, &b);
    ck_assert_uint_eq(barriers_at(&a), 0);
    svm_predictor_forget(&cpu, &a);
    ck_assert_uint_eq(barriers_at(&a), 1);
}
END_TEST

START_TEST(nothing_where_the_cpu_has_none)
{
    svm_features.has_ibpb = false;
    ck_assert_uint_eq(barriers_at(&b), 0);
    ck_assert_uint_eq(barriers_at(&a), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("svm_predictor");
    TCase *tcase = unit_case(suite, "barriers");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, between_domains_only);
    tcase_add_test(tcase, a_domain_that_went_is_forgotten);
    tcase_add_test(tcase, nothing_where_the_cpu_has_none);
    return unit_run(suite);
}
