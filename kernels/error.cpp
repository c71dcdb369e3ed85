#include "kernels/error.h"

namespace bkd {
namespace {

// C0, DEL, C1, and what turns the direction of text or ends its line unseen: U+200E, 200F, 2028..202E, 2066..2069.
bool is_control(std::string_view character) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
    if (character.size() == 2) return byte(0) == 0xC2 && byte(1) < 0xA0;
    if (character.size() != 3 || byte(0) != 0xE2) return false;
    const unsigned char last = byte(2);
    return (byte(1) == 0x80 && (last == 0x8E || last == 0x8F || (last >= 0xA8 && last <= 0xAE))) ||
           (byte(1) == 0x81 && last >= 0xA6 && last <= 0xA9);
}

}

InputError::InputError(Parts parts) : std::runtime_error(parts.what), parts_(std::move(parts)) {}

std::string InputError::id() const { return fmt::format("E{:04}", parts_.id); }

std::string InputError::message() const {
    std::string text = fmt::format("error[{}]: {}\n", id(), parts_.what);
    if (!parts_.at.empty()) text += fmt::format("  at:  {}\n", parts_.at);
    for (std::string_view rest = parts_.source; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        text += fmt::format("       {}\n", rest.substr(0, end));
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    }
    if (!parts_.why.empty()) text += fmt::format("  why: {}\n", parts_.why);
    if (!parts_.try_.empty()) text += fmt::format("  try: {}\n", parts_.try_);
    return text;
}

void fail_check(const char* function, const char* condition, const std::string& detail) {
    throw LogicError(fmt::format("{}: {}: {}", function, condition, detail));
}

std::string printable(std::string_view text) {
    constexpr std::size_t limit = 200;
    std::string shown;
    std::size_t characters = 0, hidden = 0;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const std::string_view character = text.substr(0, length == 0 ? 1 : length);
        text.remove_prefix(character.size());
        if (characters++ >= limit) {
            ++hidden;
            continue;
        }
        if (length == 0 || is_control(character))
            for (const char c : character) shown += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else
            shown += character;
    }
    return hidden == 0 ? shown : fmt::format("{}...(+{})", shown, hidden);
}

std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    // Overlong forms, surrogates and what lies beyond U+10FFFF are told by the second byte.
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return length;
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return lower;
}

bool is_utf8(std::string_view text) {
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

}
