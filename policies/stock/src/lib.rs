//! The stock policies as ready components.
