"""One folder per Lambda function, named after what it does."""
