"""The rules of the product, free of AWS, HTTP and files."""
