"""Models: trained, exported, checked and published."""
