"""Send slots: limits of a project's concurrent sends."""
