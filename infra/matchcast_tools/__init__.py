"""What model builders, operators and developers run: import, train, publish, and the laptop stack."""
