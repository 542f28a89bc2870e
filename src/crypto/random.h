// Random numbers from the kernel's CSPRNG.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace culvert::crypto {

// Any thread. All of these abort if the kernel gives no randomness: nothing safe could go on.
void FillRandom(void* out, size_t size);
uint64_t RandomUint64();
// 63 bits and never 0: the form of session and channel ids.
uint64_t RandomId();
std::string RandomBytes(size_t size);
// "8c0e0f43-5c50-4a8f-9d6e-2b9f6c7a1e55" (RFC 4122, version 4).
std::string RandomUuid();

}  // namespace culvert::crypto
