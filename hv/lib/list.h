/* SPDX-License-Identifier: GPL-2.0-only */
/* Doubly linked circular lists; the head is a node without an owner. */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/minmax.h"

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list_node *node)
{
    node->next = node;
    node->prev = node;
}

static inline void list_insert_between(struct list_node *node,
                                       struct list_node *prev,
                                       struct list_node *next)
{
    node->prev = prev;
    node->next = next;
    prev->next = node;
    next->prev = node;
}

/* Adds node at the front of head's list. */
static inline void list_add(struct list_node *node, struct list_node *head)
{
    list_insert_between(node, head, head->next);
}

/* Adds node at the end of head's list; before head if head is a member. */
static inline void list_add_tail(struct list_node *node,
                                 struct list_node *head)
{
    list_insert_between(node, head->prev, head);
}

/* Takes node out and leaves it an empty list of its own. */
static inline void list_del(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline bool list_is_empty(const struct list_node *head)
{
    return head->next == head;
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)

#define list_for_each(entry, head, member)                              \
    for ((entry) = list_entry((head)->next, __typeof__(*(entry)), member); \
         &(entry)->member != (head);                                    \
         (entry) = list_entry((entry)->member.next,                     \
                              __typeof__(*(entry)), member))

/* The body may take entry out of the list. */
#define list_for_each_safe(entry, after, head, member)                  \
    for ((entry) = list_entry((head)->next, __typeof__(*(entry)), member), \
         (after) = list_entry((entry)->member.next,                     \
                              __typeof__(*(entry)), member);            \
         &(entry)->member != (head);                                    \
         (entry) = (after),                                             \
         (after) = list_entry((after)->member.next,                     \
                              __typeof__(*(after)), member))

#endif
