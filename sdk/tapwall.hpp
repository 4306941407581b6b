/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall.hpp: tapwall.h with objects that free themselves and errors as exceptions. C++17, header only.
 *
 *	tapwall::agent agent;
 *	for (auto &event : agent.events())
 *		std::cout << event.rule << '\n';
 *
 * Errors:     every function that fails throws tapwall::error, which has the parts of struct
 *             tapwall_error. Destructors do not throw.
 * Ownership:  objects can be moved, not copied. get() returns the C object, for functions of
 *             tapwall.h that have no wrapper; the C++ object still owns it. Rows are those of the C
 *             interface: valid until the next one is read.
 * ABI:        that of tapwall.h. All of this header is compiled into the program.
 */
#ifndef TAPWALL_HPP
#define TAPWALL_HPP

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <tapwall.h>

namespace tapwall
{

class error : public std::runtime_error
{
      public:
	explicit error(const tapwall_error &what) : std::runtime_error(text_of(what)), parts_(what)
	{
	}
	int code() const noexcept /* negative errno */
	{
		return parts_.code;
	}
	const tapwall_error &parts() const noexcept
	{
		return parts_;
	}

      private:
	static std::string text_of(const tapwall_error &what)
	{
		char text[1100];

		return tapwall_error_text(&what, text, sizeof(text));
	}
	tapwall_error parts_;
};

/* Returns `result`, or throws if it is an error. */
inline int check(int result, const tapwall_error &what)
{
	if (result < 0)
		throw error(what);
	return result;
}

template <class T, void (*Free)(T *)> struct deleter {
	void operator()(T *object) const noexcept
	{
		Free(object);
	}
};
template <class T, void (*Free)(T *)> using owned = std::unique_ptr<T, deleter<T, Free>>;

using status = owned<tapwall_status, tapwall_status_free>;
using policy = owned<tapwall_policy, tapwall_policy_free>;
using applied = owned<tapwall_applied, tapwall_applied_free>;

/* Rows of a source, for a range-based for: each is valid until the next one is read. */
template <class Source> class iterator
{
      public:
	iterator() = default;
	explicit iterator(Source *source) : source_(source)
	{
		++*this;
	}
	const typename Source::row &operator*() const
	{
		return *row_;
	}
	iterator &operator++()
	{
		row_ = source_->next();
		return *this;
	}
	bool operator!=(const iterator &other) const
	{
		return row_ != other.row_;
	}

      private:
	Source *source_ = nullptr;
	const typename Source::row *row_ = nullptr;
};

/* A list with rows of one type. */
template <class Row, int (*Next)(tapwall_list *, const Row **, tapwall_error *)> class list
{
      public:
	using row = Row;
	explicit list(tapwall_list *taken) : list_(taken)
	{
	}
	const Row *next() /* nullptr: the end */
	{
		const Row *found = nullptr;
		tapwall_error what = {};

		check(Next(list_.get(), &found, &what), what);
		return found;
	}
	iterator<list> begin()
	{
		return iterator<list>(this);
	}
	iterator<list> end()
	{
		return {};
	}

      private:
	owned<tapwall_list, tapwall_list_free> list_;
};

using ports = list<tapwall_port, tapwall_list_next_port>;
using flows = list<tapwall_flow, tapwall_list_next_flow>;
using rules = list<tapwall_rule, tapwall_list_next_rule>;
using workloads = list<tapwall_workload, tapwall_list_next_workload>;
using counters = list<tapwall_counter, tapwall_list_next_counter>;

class events
{
      public:
	using row = tapwall_event;
	explicit events(tapwall_events *taken) : events_(taken)
	{
	}
	/* Returns the next event; nullptr if none came in time, a signal came, or the stream ended. */
	const tapwall_event *next(int wait_ms = TAPWALL_FOREVER)
	{
		const tapwall_event *found = nullptr;
		tapwall_error what = {};
		int got = tapwall_events_next(events_.get(), wait_ms, &found, &what);

		if (got != -EAGAIN && got != -EINTR)
			check(got, what);
		return found;
	}
	iterator<events> begin()
	{
		return iterator<events>(this);
	}
	iterator<events> end()
	{
		return {};
	}
	int fd() const
	{
		return tapwall_events_fd(events_.get());
	}
	tapwall_events *get() const
	{
		return events_.get();
	}

      private:
	owned<tapwall_events, tapwall_events_free> events_;
};

class decider
{
      public:
	using row = tapwall_question;
	explicit decider(tapwall_decider *taken) : decider_(taken)
	{
	}
	/* Returns the next question, or nullptr as events::next() does. */
	const tapwall_question *next(int wait_ms = TAPWALL_FOREVER)
	{
		const tapwall_question *found = nullptr;
		tapwall_error what = {};
		int got = tapwall_decider_next(decider_.get(), wait_ms, &found, &what);

		if (got != -EAGAIN && got != -EINTR)
			check(got, what);
		return found;
	}
	void answer(const tapwall_question &question, tapwall_verdict verdict,
		tapwall_scope scope = TAPWALL_CONNECTION, double ttl_s = 0)
	{
		tapwall_error what = {};

		check(tapwall_decider_answer(
			      decider_.get(), question.id, verdict, scope, ttl_s, &what),
			what);
	}
	iterator<decider> begin()
	{
		return iterator<decider>(this);
	}
	iterator<decider> end()
	{
		return {};
	}
	int fd() const
	{
		return tapwall_decider_fd(decider_.get());
	}
	tapwall_decider *get() const
	{
		return decider_.get();
	}

      private:
	owned<tapwall_decider, tapwall_decider_free> decider_;
};

class agent
{
      public:
	explicit agent(const char *address = nullptr)
	{
		tapwall_handle *made = nullptr;
		tapwall_error what = {};

		check(tapwall_connect(address, &made, &what), what);
		agent_.reset(made);
	}
	tapwall_handle *get() const
	{
		return agent_.get();
	}
	tapwall::status status() const
	{
		return tapwall::status(make<tapwall_status>(tapwall_status_get));
	}
	tapwall::policy policy() const
	{
		return tapwall::policy(make<tapwall_policy>(tapwall_policy_get));
	}
	tapwall::ports ports() const
	{
		return tapwall::ports(make<tapwall_list>(tapwall_list_ports));
	}
	tapwall::rules rules() const
	{
		return tapwall::rules(make<tapwall_list>(tapwall_list_rules));
	}
	tapwall::workloads workloads() const
	{
		return tapwall::workloads(make<tapwall_list>(tapwall_list_workloads));
	}
	tapwall::counters counters() const
	{
		return tapwall::counters(make<tapwall_list>(tapwall_list_counters));
	}
	tapwall::flows flows(const char *workload = nullptr, uint32_t limit = 0) const
	{
		tapwall_list *made = nullptr;
		tapwall_error what = {};

		check(tapwall_list_flows(get(), workload, limit, &made, &what), what);
		return tapwall::flows(made);
	}
	tapwall::events events(tapwall_events_options options = {}) const
	{
		tapwall_events *made = nullptr;
		tapwall_error what = {};

		options.size = sizeof(options);
		check(tapwall_events_open(get(), &options, &made, &what), what);
		return tapwall::events(made);
	}
	tapwall::decider decider(tapwall_decider_options options = {}) const
	{
		tapwall_decider *made = nullptr;
		tapwall_error what = {};

		options.size = sizeof(options);
		check(tapwall_decider_open(get(), &options, &made, &what), what);
		return tapwall::decider(made);
	}
	tapwall::applied set_policy(
		std::string_view text, const char *source = nullptr, unsigned int flags = 0) const
	{
		tapwall_applied *made = nullptr;
		tapwall_error what = {};
		int result = tapwall_policy_set(
			get(), text.data(), text.size(), source, flags, &made, &what);
		tapwall::applied guard(made);

		check(result, what);
		return guard;
	}
	/* Returns the number of answers in force. */
	int install(tapwall_record record) const
	{
		tapwall_error what = {};

		record.size = sizeof(record);
		return check(tapwall_record_install(get(), &record, &what), what);
	}
	tapwall_removed remove(tapwall_filter filter) const
	{
		tapwall_removed removed = {};
		tapwall_error what = {};

		filter.size = sizeof(filter);
		check(tapwall_record_remove(get(), &filter, &removed, &what), what);
		return removed;
	}

      private:
	template <class T> T *make(int (*call)(tapwall_handle *, T **, tapwall_error *)) const
	{
		T *made = nullptr;
		tapwall_error what = {};

		check(call(get(), &made, &what), what);
		return made;
	}
	owned<tapwall_handle, tapwall_free> agent_;
};

} // namespace tapwall

#endif
