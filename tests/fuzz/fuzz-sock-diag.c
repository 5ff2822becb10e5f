/* SPDX-License-Identifier: MIT */
/*
 * fuzz-sock-diag: netlink replies of any bytes. The first byte chooses the protocol, the
 * rest is the buffer, in memory of exactly its size. Whatever comes out must be in its
 * bounds.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/bind-diagnosis.h"
#include "protocol/sock-diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_sums {
	struct sock_diag_list list;
	size_t n_calls;
};

static int
fuzz_on_socket(const struct sock_diag_socket *socket, void *context)
{
	struct fuzz_sums *sums = context;
	char text[SOCK_DIAG_ENDPOINT_MAX];

	if (socket->family != AF_INET && socket->family != AF_INET6)
		abort();
	if (socket->state < 0 || socket->state >= SOCK_DIAG_STATE_MAX)
		abort();
	if (socket->family == AF_INET && !IN6_IS_ADDR_V4MAPPED(&socket->local))
		abort();
	(void)sock_diag_format_endpoint(
		&socket->remote, socket->remote_port, text, sizeof(text));
	if (strlen(text) == 0 || !sock_diag_state_name(socket)[0])
		abort();
	sums->n_calls++;
	return sock_diag_list_add(&sums->list, socket);
}

/* Every list is a list that the rule can judge. */
static void
fuzz_ask(const struct sock_diag_list *list, uint16_t port, int type)
{
	struct socket_address address = {
		.type = type,
		.dual_stack = true,
		.length = sizeof(address.storage.in6),
	};
	const struct bind_question question = {
		.address = &address,
		.reuse_address = port & 1,
		.ephemeral = { 32768, 60999 },
	};
	const struct socket_owner_list nobody = { 0 };
	struct bind_answer answer;
	char reason[64];

	address.storage.in6.sin6_family = AF_INET6;
	address.storage.in6.sin6_port = htons(port);
	bind_diagnosis_ask(&question, list, &answer);
	(void)bind_diagnosis_reason(
		&answer, &nobody, question.ephemeral, reason, sizeof(reason));
	if ((answer.verdict == BIND_POSSIBLE) != (reason[0] == '\0'))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_MPTCP };
	struct fuzz_sums sums = { .n_calls = 0 };
	struct sock_diag_parse parse = {
		.sequence = 1,
		.fn = fuzz_on_socket,
		.context = &sums,
	};
	uint8_t *copy;
	int r;

	if (size < 1)
		return 0;
	parse.protocol = protocols[data[0] % 3];
	copy = malloc(size - 1 ? size - 1 : 1);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	r = sock_diag_parse(&parse, copy, size - 1);
	free(copy);
	if (r > SOCK_DIAG_PARSE_MORE || sums.n_calls != sums.list.n_sockets)
		abort();
	if (sums.list.n_sockets) {
		fuzz_ask(&sums.list, sums.list.sockets[0].local_port, SOCK_STREAM);
		fuzz_ask(&sums.list, sums.list.sockets[0].local_port, SOCK_DGRAM);
	}
	sock_diag_list_done(&sums.list);
	return 0;
}
