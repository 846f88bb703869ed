//! The stock policy webhook-signature.
