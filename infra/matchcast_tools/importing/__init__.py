"""Match files of football-data.co.uk into the dataset."""
