"""The API's OpenAPI document, generated from the functions' code."""
