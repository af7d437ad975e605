"""The web page and its JSON interface: pictures, videos as jobs, and live cameras; nothing uploaded is kept."""

from .app import create_app
from .limits import Limits
from .serving import Server, serve

__all__ = ["Limits", "Server", "create_app", "serve"]
