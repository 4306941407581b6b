/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* allow-hour FROM TO PROTO PORT [end]: allows connections for an hour, if a rule with `action: ask`
 * leaves them open. FROM and TO are workloads or addresses.
 *
 *	allow-hour jump-1 db-1 tcp 22
 *	allow-hour jump-1 db-1 tcp 22 end      takes it back, and ends the connections
 *
 *	c++ -std=c++17 allow-hour.cpp $(pkg-config --cflags --libs tapwall)
 */
#include <cstdlib>
#include <iostream>
#include <string>

#include <tapwall.hpp>

static void take_back(const tapwall::agent &agent, char **words)
{
	tapwall_filter filter = {};

	filter.from = words[0];
	filter.to = words[1];
	filter.proto = words[2];
	filter.to_port = static_cast<std::uint16_t>(std::stoul(words[3]));
	const tapwall_removed removed = agent.remove(filter);
	std::cout << "ended " << removed.connections << " connections, took back "
		  << removed.answers << " answers\n";
}

static void allow(const tapwall::agent &agent, char **words)
{
	tapwall_record record = {};

	record.from = words[0];
	record.to = words[1];
	record.proto = words[2];
	record.to_port = static_cast<std::uint16_t>(std::stoul(words[3]));
	record.verdict = TAPWALL_ALLOW;
	record.ttl_s = 3600;
	const int answers = agent.install(record);
	std::cout << "allowed for an hour: " << answers << " answers in force\n";
	for (const tapwall_flow &flow : agent.flows())
		if (flow.to.port == record.to_port && record.proto == std::string(flow.proto))
			std::cout << "open: " << flow.from.address << " to " << flow.to.address
				  << ", " << flow.state << '\n';
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		std::cerr << "usage: allow-hour FROM TO PROTO PORT [end]\n";
		return 2;
	}
	try {
		const tapwall::agent agent;

		if (argc > 5 && argv[5] == std::string("end"))
			take_back(agent, argv + 1);
		else
			allow(agent, argv + 1);
	} catch (const std::exception &failed) {
		std::cerr << "allow-hour: " << failed.what() << '\n';
		return 1;
	}
	return 0;
}
