//! The stock policy api-key.
