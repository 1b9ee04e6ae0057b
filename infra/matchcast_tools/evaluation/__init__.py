"""How good bookmakers' odds and models are."""
