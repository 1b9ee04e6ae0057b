"""The outside world: AWS services, file formats and model runtimes behind the ports."""
