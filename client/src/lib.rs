//! A program's hand on the bus.
