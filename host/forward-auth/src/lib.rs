//! Barmkin as a forward-auth endpoint.
