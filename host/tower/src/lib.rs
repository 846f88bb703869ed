//! Barmkin as a tower layer.
