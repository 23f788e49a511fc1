// expect: AC
// attack: T7 leave_markers: leaves files for the next run, and looks for those of an earlier one
// control: private_mounts
#include <cstdio>
#include <filesystem>
#include <fstream>
int main() {
    namespace fs = std::filesystem;
    for (const char *place : {"/tmp", "/dev/shm", "/box"}) {
        const auto marker = fs::path(place) / "marker-of-cpp";
        if (fs::exists(marker)) std::printf("ESCAPED found %s\n", marker.c_str());
        std::ofstream(marker) << "left by an earlier run";
        if (!fs::exists(marker)) return 1;
    }
}
