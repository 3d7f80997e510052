// The parameters of a query, one after the other, decoded as forms are: `%XX` and `+`.
#ifndef REEVE_POLICY_QUERY_H_
#define REEVE_POLICY_QUERY_H_

#include <string>
#include <string_view>

namespace reeve::policy {

class QueryReader {
 public:
  // `query` is without its question mark and must outlive the reader.
  explicit QueryReader(std::string_view query) : rest_(query) {}

  // Goes to the next parameter; false at the end. Empty ones (`a&&b`) are skipped.
  bool next();
  bool name_is(std::string_view name) const { return name_ == name; }
  // Another name, that equals `name` but for case.
  bool name_is_variant_of(std::string_view name) const;
  std::string_view value() const { return value_; }  // until the next next()
  // A bad escape, or bytes that are not UTF-8, so far: what a server would read is not certain.
  bool malformed() const { return malformed_; }

 private:
  std::string_view decode(std::string_view raw, std::string& scratch);

  std::string_view rest_;
  std::string_view name_;
  std::string_view value_;
  std::string name_scratch_;
  std::string value_scratch_;
  bool malformed_ = false;
};

}  // namespace reeve::policy

#endif  // REEVE_POLICY_QUERY_H_
