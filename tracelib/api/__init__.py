"""The questions of the pages, for programs: JSON over HTTP."""
