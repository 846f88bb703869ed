//! What a check costs.
