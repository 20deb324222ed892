"""What a client holds and what the store holds of it: token, peppers, key hash."""
