// A data socket whose host may go away without a word.
#pragma once

namespace culvert::broker {

// Has the kernel end the socket when its host does not answer for 35 s, also while nobody writes to
// it, and while bytes are under way after 20 s: SO_KEEPALIVE, and TCP_USER_TIMEOUT, which is off
// again once the socket is joined to another one (net::SplicePair). Fails on other than TCP, which
// is no matter.
void WatchHost(int fd);

}  // namespace culvert::broker
