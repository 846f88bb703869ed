//! The stock policy rbac-scopes.
