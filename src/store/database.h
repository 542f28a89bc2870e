// The SQLite file under the tables, and the place where SQLiteCpp's exceptions end. Used inside
// src/store only.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>
#include <SQLiteCpp/VariadicBind.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "base/status.h"
#include "base/wall_time.h"

namespace culvert::store {

// RESOURCE_EXHAUSTED for a full disk, UNAVAILABLE for a file in use, INTERNAL otherwise.
absl::Status StatusOf(const SQLite::Exception& error, std::string_view what);

// Confined to one thread.
class Database {
 public:
  // Opens or makes `path` (0600; write-ahead log, synchronous, foreign keys) and brings its tables
  // to the form that this program knows. FAILED_PRECONDITION if a newer program has made it, or
  // others may write it.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Runs `body` in one transaction that is committed if it returns OK, and leaves nothing
  // otherwise. `what` comes before the message if SQLite fails: "create token".
  template <class Result>
  Result Write(std::string_view what, absl::FunctionRef<Result()> body) {
    return Guard<Result>(what, [&]() -> Result {
      SQLite::Transaction transaction(sqlite_, SQLite::TransactionBehavior::IMMEDIATE);
      Result result = body();
      if (StatusIn(result).ok()) transaction.commit();
      return result;
    });
  }
  template <class Result>
  Result Read(std::string_view what, absl::FunctionRef<Result()> body) {
    return Guard<Result>(what, body);
  }

  // The same where all that `body` reads is to be of one moment.
  template <class Result>
  Result ReadAtOnce(std::string_view what, absl::FunctionRef<Result()> body) {
    return Guard<Result>(what, [&]() -> Result {
      const SQLite::Transaction transaction(sqlite_);
      return body();
    });
  }

  // For `body`: may throw what Write and Read catch.
  template <class... Values>
  SQLite::Statement Prepare(const char* sql, const Values&... values) {
    SQLite::Statement statement(sqlite_, sql);
    if constexpr (sizeof...(values) > 0) SQLite::bind(statement, values...);
    return statement;
  }
  // The number of rows that were changed.
  template <class... Values>
  int Execute(const char* sql, const Values&... values) {
    return Prepare(sql, values...).exec();
  }
  // Whether the query finds a row.
  template <class... Values>
  bool Finds(const char* sql, const Values&... values) {
    return Prepare(sql, values...).executeStep();
  }
  int64_t last_row_id() const { return sqlite_.getLastInsertRowid(); }

 private:
  explicit Database(const std::string& path);
  absl::Status Migrate();

  template <class Result>
  static Result Guard(std::string_view what, absl::FunctionRef<Result()> body) {
    try {
      return body();
    } catch (const SQLite::Exception& error) {
      return StatusOf(error, what);
    }
  }
  static const absl::Status& StatusIn(const absl::Status& status) { return status; }
  template <class Value>
  static const absl::Status& StatusIn(const absl::StatusOr<Value>& result) {
    return result.status();
  }

  SQLite::Database sqlite_;
};

inline std::string TextAt(const SQLite::Statement& row, int column) {
  return row.getColumn(column).getString();
}
inline WallTime TimeAt(const SQLite::Statement& row, int column) {
  return FromUnixMillis(row.getColumn(column).getInt64());
}

}  // namespace culvert::store
