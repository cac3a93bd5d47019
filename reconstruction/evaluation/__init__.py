"""How far reconstructions are from the truth: on scans (NoW), on renders, and against themselves (identity)."""
