"""What runs beside the functions: data, models, the laptop stack and the `matchcast` command."""
