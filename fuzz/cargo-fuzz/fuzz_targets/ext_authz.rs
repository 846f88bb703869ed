#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| barmkin_fuzz::check("ext_authz", input));
