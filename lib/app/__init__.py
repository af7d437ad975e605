"""The web app for a phone: a static folder that runs the very model that ships, in the browser, and sends nothing."""

from .building import MODELS, build, measured
from .runtime import RUNTIME, fetch, find

__all__ = ["MODELS", "RUNTIME", "build", "fetch", "find", "measured"]
