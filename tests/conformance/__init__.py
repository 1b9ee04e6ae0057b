"""Rules of Standard Webhooks for senders, tested by a receiver on loopback; ours is one of the senders."""
