//! What control data tells, as plain values for the fuzzer's second reader.
use super::ancillary::{self, Item};
use std::net::IpAddr;
use std::time::SystemTime;

/// One thing that control data tells. Descriptors are numbers that nobody owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// An address of ours, and an interface.
    Local(IpAddr, Option<u32>),
    /// The traffic class.
    Class(u8),
    /// Time to live, or hop limit.
    Hops(u8),
    /// The time of arrival.
    At(SystemTime),
    /// The length of joined datagrams.
    Segment(usize),
    /// Descriptors that were passed.
    Rights(Vec<i32>),
    /// A descriptor that nobody asked for.
    Process(i32),
    /// Something else.
    Other,
}

/// All that `control` tells.
#[must_use]
pub fn ancillary(control: &[u8]) -> Vec<Told> {
    let told = |item: Item<'_>| match item {
        Item::Local(addr, interface) => Told::Local(addr, interface),
        Item::Class(class) => Told::Class(class),
        Item::Hops(hops) => Told::Hops(hops),
        Item::At(at) => Told::At(at),
        Item::Segment(len) => Told::Segment(len),
        Item::Rights(numbers) => Told::Rights(numbers.collect()),
        Item::Process(number) => Told::Process(number),
        Item::Other => Told::Other,
    };
    ancillary::items(control).map(told).collect()
}
