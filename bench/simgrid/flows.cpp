// Flows over links in SimGrid, as plain max-min fairness: `simgrid-flows FILE` reads
//
//   link CAPACITY                    bytes/s; numbered from 0 in the order of the file
//   route LINK …                     likewise; each ends at a host of its own
//   flow ARRIVAL BYTES CAP ROUTE     in the order of their arrival; s, bytes, bytes/s
//
// and writes when each flow ends, in s, a line each, in the order of the file. The last line has the CPU seconds that the
// simulation itself took, and the process's peak memory in KiB.

#include <sys/resource.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <simgrid/s4u.hpp>

namespace s4u = simgrid::s4u;

struct Flow {
  double arrival;
  double bytes;
  double cap;
  int route;
};

/** Corrections for TCP off, no cross traffic, no latency; times and amounts as exact as they get. */
static const char* const settings[] = {
    "network/model:CM02",         "network/TCP-gamma:0",    "network/latency-factor:1",
    "network/bandwidth-factor:1", "network/weight-S:0",     "network/crosstraffic:0",
    "surf/precision:1e-12",       "maxmin/precision:1e-9",  "maxmin/concurrency-limit:-1",
};

static double cpuSeconds()
{
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char** argv)
{
  s4u::Engine engine(&argc, argv);
  for (const char* each : settings)
    s4u::Engine::set_config(each);

  auto* zone = s4u::create_full_zone("zone");
  auto* cdn  = zone->create_host("cdn", 1e9);
  std::vector<s4u::Link*> links;
  std::vector<s4u::Host*> ends;
  std::vector<Flow> flows;
  std::ifstream file(argv[1]);
  for (std::string kind; file >> kind;) {
    if (kind == "link") {
      double capacity;
      file >> capacity;
      links.push_back(zone->create_link("link-" + std::to_string(links.size()), capacity)->set_latency(0)->seal());
    } else if (kind == "route") {
      std::string line;
      std::getline(file, line);
      std::istringstream numbers(line);
      std::vector<s4u::LinkInRoute> route;
      for (size_t number; numbers >> number;)
        route.emplace_back(links.at(number));
      auto* end = zone->create_host("end-" + std::to_string(ends.size()), 1e9);
      zone->add_route(cdn->get_netpoint(), end->get_netpoint(), nullptr, nullptr, route, false);
      ends.push_back(end);
    } else {
      Flow flow;
      file >> flow.arrival >> flow.bytes >> flow.cap >> flow.route;
      flows.push_back(flow);
    }
  }
  zone->seal();

  // Senders give the cap of a flow, and that is heard with mailboxes only: each end takes what comes to its own.
  std::vector<s4u::CommPtr> comms;
  std::vector<size_t> expected(ends.size());
  for (const Flow& flow : flows)
    expected[flow.route]++;
  int nothing;
  s4u::Actor::create("cdn", cdn, [&]() {
    for (const Flow& flow : flows) {
      s4u::this_actor::sleep_until(flow.arrival);
      auto comm = s4u::Mailbox::by_name(ends.at(flow.route)->get_name())->put_init(&nothing, flow.bytes);
      comm->set_rate(flow.cap)->start();
      comms.push_back(comm);
    }
    s4u::Comm::wait_all(comms);
  });
  for (size_t end = 0; end < ends.size(); end++) {
    if (expected[end] == 0)
      continue;
    s4u::Actor::create("end", ends[end], [&, end]() {
      auto* mailbox = s4u::Mailbox::by_name(ends[end]->get_name());
      std::vector<s4u::CommPtr> received;
      std::vector<int*> data(expected[end]);
      for (size_t i = 0; i < expected[end]; i++)
        received.push_back(mailbox->get_async(&data[i]));
      s4u::Comm::wait_all(received);
    });
  }
  const double since = cpuSeconds();
  engine.run();
  const double took = cpuSeconds() - since;

  for (const auto& comm : comms)
    std::printf("%.17g\n", comm->get_finish_time());
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  std::printf("%.17g %ld\n", took, usage.ru_maxrss);
  return 0;
}
