"""One module per exchange: pure parse functions and messages, no sockets."""
