#include "net/file_io.h"

#include <uv.h>

#include <utility>

#include "base/check.h"

namespace culvert::net {
namespace {

constexpr int64_t kCurrentPosition = -1;

}  // namespace

// Owns the memory that a thread works on until libuv has let go of it.
struct FileIo::Request {
  uv_fs_t uv{};
  FileIo* owner = nullptr;  // nullptr once destroyed
  std::shared_ptr<const UniqueFd> fd;
  std::string buffer;  // of a read
  Bytes bytes;         // of a write
  ReadDone read_done;
  WriteDone write_done;

  void HandleDone() {
    const std::unique_ptr<Request> self(this);
    const ssize_t result = uv.result;
    uv_fs_req_cleanup(&uv);
    if (owner == nullptr) return;
    owner->loop_.AssertOnThread();
    owner->request_ = nullptr;
    if (read_done) {
      buffer.resize(result > 0 ? static_cast<size_t>(result) : 0);
      std::move(read_done)(result, std::move(buffer));
    } else {
      std::move(write_done)(result);
    }
  }

  static void OnDone(uv_fs_t* request) noexcept {
    static_cast<Request*>(request->data)->HandleDone();
  }
};

FileIo::FileIo(EventLoop& loop, UniqueFd fd)
    : loop_(loop), fd_(std::make_shared<const UniqueFd>(std::move(fd))) {}

FileIo::~FileIo() {
  loop_.AssertOnThread();
  if (request_ == nullptr) return;
  request_->owner = nullptr;
  request_->read_done = nullptr;
  request_->write_done = nullptr;
  // Helps only while it waits for a thread; otherwise it runs to its end, unheard.
  uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));
}

bool FileIo::is_busy() const {
  loop_.AssertOnThread();
  return request_ != nullptr;
}

void FileIo::Read(size_t most, ReadDone done) {
  loop_.AssertOnThread();
  auto* const request = new Request;
  request->buffer.resize(most);
  request->read_done = std::move(done);
  Begin(request);
  const uv_buf_t part = uv_buf_init(request->buffer.data(), static_cast<unsigned>(most));
  CULVERT_CHECK(uv_fs_read(loop_.uv(), &request->uv, fd_->get(), &part, 1, kCurrentPosition,
                           &Request::OnDone) == 0);
}

void FileIo::Write(Bytes bytes, WriteDone done) {
  loop_.AssertOnThread();
  CULVERT_CHECK(!bytes.empty());
  auto* const request = new Request;
  request->bytes = std::move(bytes);
  request->write_done = std::move(done);
  Begin(request);
  // uv_buf_t is for reading too, hence the cast; a write leaves the bytes alone.
  const uv_buf_t part = uv_buf_init(const_cast<char*>(request->bytes.data()),
                                    static_cast<unsigned>(request->bytes.size()));
  CULVERT_CHECK(uv_fs_write(loop_.uv(), &request->uv, fd_->get(), &part, 1, kCurrentPosition,
                            &Request::OnDone) == 0);
}

void FileIo::Begin(Request* request) {
  loop_.AssertOnThread();
  CULVERT_CHECK(request_ == nullptr);
  request->uv.data = request;
  request->owner = this;
  request->fd = fd_;
  request_ = request;
}

}  // namespace culvert::net
