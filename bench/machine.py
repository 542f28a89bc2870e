"""Where a benchmark ran."""

import os
import platform


def machine():
    """"2 processors (…), Linux 6.1, load 0.3": the load is that of now."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        model = next((line.partition(":")[2].strip() for line in info
                      if line.startswith("model name")), platform.machine())
    return (f"{os.cpu_count()} processors ({model}), Linux {platform.release()}, "
            f"load {os.getloadavg()[0]:.1f} before it")
