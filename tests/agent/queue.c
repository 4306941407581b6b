/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The queue between the thread that empties the ring buffer and the loop. */
#include "agent/observe/queue.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "tests/agent/test.h"

#include "base/alloc.h"

#define SLOTS 64
#define MANY  200000

static struct tw_event event_of(uint64_t number)
{
	return (struct tw_event){.time_ns = number, .sums = {.age = (uint32_t)number}};
}

static void test_order(void **state)
{
	struct tw_queue queue;
	uint64_t added = 0, taken = 0;

	assert_int_equal(tw_queue_init(&queue, SLOTS), 0);
	assert_null(tw_queue_first(&queue));
	/* Full, half empty, full, empty: around the ring in different steps. */
	for (unsigned int round = 0; round < 100; round++) {
		while (tw_queue_room(&queue)) {
			struct tw_event event = event_of(added++);

			tw_queue_add(&queue, &event);
		}
		assert_int_equal(added - taken, SLOTS);
		for (unsigned int i = 0; i < (round % 3 ? SLOTS / 2 + round % 7 : SLOTS); i++) {
			assert_int_equal(tw_queue_first(&queue)->time_ns, taken++);
			tw_queue_drop(&queue);
		}
		assert_int_equal(tw_queue_room(&queue), SLOTS - (added - taken));
	}
	tw_queue_done(&queue);
}

/* An empty queue starts again at the first slot, so that a few events at a time use little memory. */
static void test_memory(void **state)
{
	struct tw_queue queue;

	assert_int_equal(tw_queue_init(&queue, SLOTS), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		struct tw_event event = event_of(i);

		tw_queue_add(&queue, &event);
		assert_ptr_equal(tw_queue_first(&queue), &queue.slots[0]);
		tw_queue_drop(&queue);
	}
	tw_queue_done(&queue);
	tw_alloc_fail_after(1);
	assert_int_equal(tw_queue_init(&queue, SLOTS), -ENOMEM);
	tw_alloc_fail_after(0);
}

static void *add_many(void *arg)
{
	struct tw_queue *queue = arg;

	for (uint64_t i = 0; i < MANY;) {
		struct tw_event event = event_of(i);

		if (!tw_queue_room(queue)) {
			sched_yield();
			continue;
		}
		tw_queue_add(queue, &event);
		i++;
	}
	return NULL;
}

/* One thread takes all events that another one adds: each complete, and in order. */
static void test_threads(void **state)
{
	struct tw_queue queue;
	pthread_t writer;

	assert_int_equal(tw_queue_init(&queue, SLOTS), 0);
	assert_int_equal(pthread_create(&writer, NULL, add_many, &queue), 0);
	for (uint64_t i = 0; i < MANY;) {
		const struct tw_event *event = tw_queue_first(&queue);

		if (!event) {
			sched_yield();
			continue;
		}
		assert_int_equal(event->time_ns, i);
		assert_int_equal(event->sums.age, i);
		tw_queue_drop(&queue);
		i++;
	}
	pthread_join(writer, NULL);
	assert_null(tw_queue_first(&queue));
	tw_queue_done(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
