// Standard input, output and error that the caller left closed.
#pragma once

namespace culvert::config {

// Opens /dev/null on those that are missing: otherwise the next descriptor takes the number, and
// log lines go into a socket. Ends the process if that fails. A program that refers to this
// function has it run before the initialisers of its libraries too, some of which open descriptors.
void OpenStandardDescriptors();

}  // namespace culvert::config
