"""The rows of many series, and what happens when a reading meets one."""
