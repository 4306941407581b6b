/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the slow path's addresses: what --slow-path and --listen accept. Nothing is dialled. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/dial.h"
#include "link/address.h"
#include "link/stream.h"
#include "tests/unit/test.h"

static void test_dial_good(void **state)
{
	static const char *const good[] = {"slow.example:7433", "192.0.2.1:7433", "[fd09::1]:7433",
		"[fe80::1%br0]:7433", "vsock:2:7433", "vsock:0:0", "vsock:4294967294:4294967294"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct tw_dial_setup setup = {.address = good[i]};
		struct tw_dial dial;
		struct tw_err err = {0};

		if (tw_dial_init(&dial, &setup, &err) < 0)
			fail_msg("%s: %s", good[i], err.text);
		tw_dial_done(&dial);
	}
}

static void test_dial_bad(void **state)
{
	static const char *const bad[] = {"", "slow.example", "fd09::1:7433", "vsock",
		"vsock:", "vsock::7433", "vsock:2", "vsock:2:", "vsock:2:7433:1", "vsock:2:7433 ",
		"vsock: 2:7433", "vsock:-1:7433", "vsock:+2:7433", "vsock:0x2:7433",
		"vsock:host:7433", "vsock:4294967295:7433", "vsock:2:4294967295",
		"vsock:99999999999:7433", "vsock:18446744073709551618:7433"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tw_dial_setup setup = {.address = bad[i]};
		struct tw_dial dial;
		struct tw_err err = {0};

		if (tw_dial_init(&dial, &setup, &err) != -EINVAL)
			fail_msg("%s is accepted", bad[i]);
		assert_string_equal(err.place, "--slow-path");
		assert_non_null(strstr(err.text, "is not an address"));
		assert_string_equal(err.hint, TW_ADDRESS_DIAL_HINT);
	}
}

/* Without a certificate, a listener with a valid address is refused for that reason. */
static int listen_at(const char *text)
{
	struct tw_listen_options options = {0};
	struct tw_stream *stream;
	char address[64];

	assert_int_equal(tw_address_with_scheme(text, address, sizeof(address)), 0);
	options.address = address;
	return tw_stream_listen(&options, &stream);
}

static void test_listen(void **state)
{
	assert_int_equal(listen_at("vsock:7433"), -EPROTONOSUPPORT);
	assert_int_equal(listen_at("vsock:3:7433"), -EPROTONOSUPPORT);
	assert_int_equal(listen_at("[::]:7433"), -EPROTONOSUPPORT);
	assert_int_equal(listen_at("vsock:"), -EINVAL);
	assert_int_equal(listen_at("vsock:any:7433"), -EINVAL);
	assert_int_equal(listen_at("vsock::7433"), -EINVAL);
	assert_int_equal(listen_at("vsock:4294967295"), -EINVAL);
	assert_int_equal(listen_at("vsock:[::]:7433"), -EINVAL);
}

static void test_scheme(void **state)
{
	char address[16];

	assert_int_equal(tw_address_with_scheme("host:1", address, sizeof(address)), 0);
	assert_string_equal(address, "tls:host:1");
	assert_int_equal(tw_address_with_scheme("vsock:2:1", address, sizeof(address)), 0);
	assert_string_equal(address, "vsock:2:1");
	assert_int_equal(tw_address_with_scheme("vsocks:1", address, sizeof(address)), 0);
	assert_string_equal(address, "tls:vsocks:1");
	assert_int_equal(tw_address_with_scheme("long.example:123", address, sizeof(address)),
		-ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dial_good),
		cmocka_unit_test(test_dial_bad),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_scheme),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("dial", tests, NULL, NULL);
}
