"""Probe the isolation of this host (`probe`, `facts`), and advise on missing controls (`advice`)."""
