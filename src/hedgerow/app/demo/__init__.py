"""The demo: a bundled city learned and forecast by the real parts, then its scoreboard."""

from hedgerow.app.demo.run import run_demo

__all__ = ["run_demo"]
