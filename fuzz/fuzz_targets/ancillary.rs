//! Whatever a kernel writes as control data, it is read to its end and no further, and descriptors
//! in it stay numbers until somebody who knows adopts them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|control: &[u8]| reseau::fuzzing::ancillary(control));
