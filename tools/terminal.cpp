#include "tools/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace bkd {

Terminal::Terminal() {
    is_terminal = isatty(STDERR_FILENO) != 0;
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
        if (const char* value = std::getenv(name); value != nullptr && *value != '\0') {
            const std::string_view codeset = value;
            utf8 = codeset.find("UTF-8") != codeset.npos || codeset.find("utf8") != codeset.npos;
            break;
        }
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        columns = std::clamp<int>(size.ws_col, 40, 100);
}

}
