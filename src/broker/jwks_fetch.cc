#include "broker/jwks_fetch.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <mutex>
#include <system_error>

#include "base/log.h"
#include "base/status.h"
#include "crypto/jwk.h"
#include "net/unique_fd.h"

namespace culvert::broker {
namespace {

constexpr long kMillis = 5'000;
constexpr size_t kMostBytes = crypto::JwkSet::kMostBytes;

absl::Status TooLarge() {
  return absl::OutOfRangeError(fmt::format("more than {} bytes", kMostBytes));
}

absl::Status FileError(int error) {
  return absl::FailedPreconditionError(std::generic_category().message(error));
}

absl::StatusOr<std::string> ReadKeyFile(const std::string& path) {
  // Not blocking: a pipe would hold the thread for ever.
  const net::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return FileError(errno);
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return FileError(errno);
  if (!S_ISREG(status.st_mode)) return absl::FailedPreconditionError("no regular file");
  std::string text;
  std::array<char, 65536> buffer{};
  while (true) {
    const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(errno);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<size_t>(got));
    if (text.size() > kMostBytes) return TooLarge();
  }
}

size_t Append(char* data, size_t size, size_t count, void* to) noexcept {
  auto& text = *static_cast<std::string*>(to);
  if (text.size() + size * count > kMostBytes) return 0;  // ends the transfer
  text.append(data, size * count);
  return size * count;
}

struct EndCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};

// What no server and no environment may change.
bool SetLimits(CURL* curl) {
  return curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NETRC, long{CURL_NETRC_IGNORED}) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2}) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, kMillis) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
}

bool SetRequest(CURL* curl, const KeySource& source, std::string& text) {
  const bool set = curl_easy_setopt(curl, CURLOPT_URL, source.location.c_str()) == CURLE_OK &&
                   curl_easy_setopt(curl, CURLOPT_USERAGENT, "culvert-broker") == CURLE_OK &&
                   curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Append) == CURLE_OK &&
                   curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text) == CURLE_OK;
  if (!set || source.authorities.empty()) return set;
  curl_blob blob{const_cast<char*>(source.authorities.data()), source.authorities.size(),
                 CURL_BLOB_COPY};
  return curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob) == CURLE_OK &&
         curl_easy_setopt(curl, CURLOPT_CAPATH, nullptr) == CURLE_OK;
}

absl::StatusOr<std::string> Download(const KeySource& source) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  const std::unique_ptr<CURL, EndCurl> curl(curl_easy_init());
  std::string text;
  if (curl == nullptr || !SetLimits(curl.get()) || !SetRequest(curl.get(), source, text)) {
    return absl::InternalError("libcurl lacks what is needed");
  }
  const CURLcode result = curl_easy_perform(curl.get());
  if (result == CURLE_WRITE_ERROR) return TooLarge();
  if (result != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(result));
  long code = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &code);
  if (code == 200) return text;
  return absl::UnavailableError(fmt::format("the server answers with {}", code));
}

}  // namespace

absl::StatusOr<std::string> FetchKeySet(const KeySource& source) {
  const bool is_file = !source.location.empty() && source.location.front() == '/';
  absl::StatusOr<std::string> text = is_file ? ReadKeyFile(source.location) : Download(source);
  if (!text.ok()) return Annotate(text.status(), Printable(source.location));
  return text;
}

}  // namespace culvert::broker
