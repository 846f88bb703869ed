//! Barmkin as a small reverse proxy.
