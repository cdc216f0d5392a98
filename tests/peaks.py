"""Code for programs that tests start: how much memory they have had at most."""

# In MB. `resource.getrusage` would tell the peak of the process that started the program, if that is higher.
READ_PEAK = """
def read_peak():
    with open("/proc/self/status") as status:
        return int(status.read().partition("VmHWM:")[2].split()[0]) // 1024
"""
