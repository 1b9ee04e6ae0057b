"""Claims that anyone can check on a laptop stack: each program explains itself and ends with one JSON object."""
