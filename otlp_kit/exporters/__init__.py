"""Where a batch goes: encoding it, and carrying the bytes to a peer."""
