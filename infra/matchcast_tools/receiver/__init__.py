"""What the owner of a receiver of callbacks needs at hand: verify requests, listen for them, send a test event."""
