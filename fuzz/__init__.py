"""Attacks by machine: `make fuzz`. Each module is one way in; each says by itself what may be accepted there."""
