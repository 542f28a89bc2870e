#include "config/clear_data.h"

namespace culvert::config {

absl::StatusOr<EndToEndChoice> ParseEndToEnd(std::string_view text) {
  if (text == "required") return EndToEndChoice::kRequired;
  if (text == "off") return EndToEndChoice::kOff;
  return absl::InvalidArgumentError("expected required or off");
}

Setting EndToEndSetting(EndToEndChoice& end_to_end) {
  return ValueSetting({"e2e", '\0', "WHAT",
                       "End-to-end encryption: required, or off. Off: the broker can read and\n"
                       "      change every byte, and only agents with --plaintext serve it.",
                       "required"},
                      end_to_end, ParseEndToEnd);
}

Setting ClearDataSetting(bool& allow, const std::string& when) {
  return SwitchSetting(
      {"allow-clear-data", '\0', "",
       "Let what has no end-to-end encryption pass the broker's data port, if the\n"
       "      other end lets it too: everybody on the way can read and change it.\n"
       "      Of use " +
           when + " only."},
      allow);
}

}  // namespace culvert::config
