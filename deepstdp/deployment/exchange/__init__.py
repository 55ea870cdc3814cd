"""Runs as files for other software, and the proof that it reads them right."""
