//! Whatever becomes of the bytes between two sides of TLS, cut into any pieces, changed or cut off,
//! what is heard was said, in order, once; and a session that was recorded is the same again. The
//! model is in `reseau/src/tls/engine_model.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| reseau::fuzzing::tls(script));
