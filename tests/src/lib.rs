//! Proof: vectors, hostile guests, real proxies.
