/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* record.c: installs and removes connection records. */
#include <errno.h>
#include <limits.h>

#include "sdk/sdk.h"

int tapwall_record_install(struct tapwall_handle *agent, const struct tapwall_record *record,
	struct tapwall_error *error)
{
	Tapwall__V1__Record row = TAPWALL__V1__RECORD__INIT, *rows[] = {&row};
	Tapwall__V1__InstallRequest body = TAPWALL__V1__INSTALL_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Answer answer = TAPWALL__V1__ANSWER__INIT;
	Tapwall__V1__Response *response = NULL;
	struct tapwall_record wanted = {0};
	uint32_t n;
	int code = tw_sdk_options(record, record->size, &wanted, sizeof(wanted), error);

	if (!code)
		code = tw_sdk_answer(wanted.verdict, TAPWALL_PAIR, wanted.ttl_s, &answer, error);
	if (code < 0)
		return code;
	row.proto = tw_sdk_borrow(wanted.proto);
	row.from = tw_sdk_borrow(wanted.from);
	row.to = tw_sdk_borrow(wanted.to);
	row.from_port = wanted.from_port;
	row.to_port = wanted.to_port;
	row.icmp_type = wanted.icmp_type;
	row.verdict = answer.verdict;
	row.ttl_s = answer.ttl_s;
	row.until_policy = wanted.until_policy;
	body.n_records = 1;
	body.records = rows;
	request.body_case = TAPWALL__V1__REQUEST__BODY_INSTALL;
	request.install = &body;
	code = tw_sdk_call(
		agent, &request, TAPWALL__V1__RESPONSE__BODY_INSTALLED, &response, error);
	if (code < 0)
		return code;
	n = response->installed->answers;
	tapwall__v1__response__free_unpacked(response, NULL);
	return n < INT_MAX ? (int)n : INT_MAX;
}

int tapwall_record_remove(struct tapwall_handle *agent, const struct tapwall_filter *filter,
	struct tapwall_removed *ret, struct tapwall_error *error)
{
	Tapwall__V1__RemoveRequest body = TAPWALL__V1__REMOVE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Response *response = NULL;
	struct tapwall_filter wanted = {0};
	int code = tw_sdk_options(filter, filter->size, &wanted, sizeof(wanted), error);

	if (code < 0)
		return code;
	body.proto = tw_sdk_borrow(wanted.proto);
	body.from = tw_sdk_borrow(wanted.from);
	body.to = tw_sdk_borrow(wanted.to);
	body.workload = tw_sdk_borrow(wanted.workload);
	body.from_port = wanted.from_port;
	body.to_port = wanted.to_port;
	body.all = wanted.all;
	request.body_case = TAPWALL__V1__REQUEST__BODY_REMOVE;
	request.remove = &body;
	code = tw_sdk_call(agent, &request, TAPWALL__V1__RESPONSE__BODY_REMOVED, &response, error);
	if (code < 0)
		return code;
	if (ret)
		*ret = (struct tapwall_removed){response->removed->connections,
			response->removed->missed, response->removed->answers};
	tapwall__v1__response__free_unpacked(response, NULL);
	return 0;
}
