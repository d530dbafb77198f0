//! Whatever users and a kernel do to a lane, in whatever order, nothing is lost or doubled: the
//! model is in `reseau/src/driver/lane_model.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| reseau::fuzzing::lane(script));
