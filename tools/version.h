#pragma once
// What this program is: the version of the project and the commit it was built from ("unknown" outside a checkout).
namespace bkd {

const char* program_version();
const char* program_commit();

}
