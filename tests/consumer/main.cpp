#if __has_include(<weir/weir.hpp>)
#include <weir/weir.hpp>
#else
#include <weir/version.hpp>
#endif

#include <thread>

// A thread, because a header-only library that needs them must bring the linker's flag for them.
int main() {
    int version = -1;
    std::thread([&] { version = WEIR_VERSION_MAJOR; }).join();
    return version == WEIR_VERSION_MAJOR ? 0 : 1;
}
