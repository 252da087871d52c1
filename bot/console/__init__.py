"""The shell's commands, one module each, imported only when called."""
