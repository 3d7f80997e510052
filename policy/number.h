// JSON numbers compared by value, exactly: 1, 1.0 and 1e0 are equal, 9007199254740993 is not
// 9007199254740992. Never through a double, whatever the number of digits.
#ifndef REEVE_POLICY_NUMBER_H_
#define REEVE_POLICY_NUMBER_H_

#include <string_view>

namespace reeve::policy {

// Whether `text` is a number in JSON's grammar, whole.
bool is_number(std::string_view text);

// -1, 0 or 1. Requires is_number() of both. Linear in the digits; allocates nothing.
int compare_numbers(std::string_view a, std::string_view b);

}  // namespace reeve::policy

#endif  // REEVE_POLICY_NUMBER_H_
