//! Barmkin as an Envoy ext_authz service.
