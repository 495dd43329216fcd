"""The worker as a process: put together, run, measured, looked at over HTTP."""
