"""The dataset: matches, odds and features, on this machine and on their way to a stack."""
