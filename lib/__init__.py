"""The face-mask workbench: one room (module) a step, from crawl to webcam. Importing `lib` loads nothing heavy."""

__version__ = "0.1.0"
