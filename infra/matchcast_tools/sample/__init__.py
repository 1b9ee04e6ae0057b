"""The sample league: invented clubs in the real file format."""
